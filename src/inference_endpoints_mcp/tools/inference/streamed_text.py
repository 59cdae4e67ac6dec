"""Reports what a chat model writes, while it writes: each notification shows what is new since the last."""

from inference_endpoints.inference.chat.answer import ChatDelta
from inference_endpoints_mcp.privacy.untrusted_text import Fence
from inference_endpoints_mcp.tools.call_context import MAX_PROGRESS_LENGTH, Progress

_BEFORE_QUOTE = " · "
_QUOTES = len("“”")


class StreamedText:
    """The text of the first choice, and before it what the model thinks."""

    def __init__(self, progress: Progress, fence: Fence) -> None:
        self._progress = progress
        self._fence = fence
        self._text = ""
        self._tokens = 0
        self._thinks = False
        self._shown = 0

    async def add(self, delta: ChatDelta) -> None:
        self._tokens += 1
        if delta.index == 0 and (delta.reasoning or delta.text):
            if self._thinks is not bool(delta.reasoning):
                self._text, self._shown, self._thinks = "", 0, bool(delta.reasoning)
            self._text += delta.reasoning or delta.text
        self._progress.report(self._message)

    def _message(self) -> str:
        done = f"{'thinking' if self._thinks else 'writing'} · {self._tokens} tokens"
        room = MAX_PROGRESS_LENGTH - len(done) - len(_BEFORE_QUOTE) - _QUOTES
        # Whole words, masked with all before them: half a secret would not be known for one.
        words = self._text[: max(self._text.rfind(" "), self._text.rfind("\n")) + 1]
        new = self._fence.prepare(words)[self._shown :]
        if len(new) > room:  # the rest is shown next time
            new = new[: new.rfind(" ", 0, room) + 1 or room]
        self._shown += len(new)
        quoted = self._fence.quote_line(new, room + _QUOTES)
        return done + _BEFORE_QUOTE + quoted if quoted else done
