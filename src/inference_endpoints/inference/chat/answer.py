"""The answer of a chat: in parts as they arrive, and whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.inference.chat.growing_fields import GrowingFields
from inference_endpoints.inference.chat.messages import arguments_to_text
from inference_endpoints.inference.tasks.outputs import Output


@dataclass(frozen=True)
class Usage(Output):
    """Tokens read and written, as the engine counts them; None if it does not report them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None


@dataclass(frozen=True)
class AnswerId:
    """How the engine names an answer: its id, its time in seconds since the epoch, and its model."""

    id: str | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None


@dataclass(frozen=True)
class ExtraFields:
    """What an engine sends beside the fields of the API, by the object that had it."""

    answer: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatDelta:
    """A part of an answer: of the choice `index`. `tool_calls` are fragments, unchanged; `logprobs` are the items of
    the tokens in this part. `finish_reason` and `usage` come last."""

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    index: int = 0
    refusal: str = ""
    logprobs: Sequence[Mapping[str, Any]] = ()
    answer: AnswerId = AnswerId()
    extra: ExtraFields = ExtraFields()

    @property
    def is_written(self) -> bool:
        """Whether the model wrote something in this part."""
        return bool(self.text or self.reasoning or self.tool_calls or self.refusal)


@dataclass(frozen=True)
class ChatChoice:
    """One of the answers. `text` and `reasoning` are untrusted: a model wrote them. `tool_calls` have the form of the
    API; their `arguments` are a string of JSON that the model wrote and nobody checked."""

    index: int = 0
    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    finish_reason: str | None = None
    refusal: str = ""
    logprobs: Sequence[Mapping[str, Any]] = ()
    extra: ExtraFields = ExtraFields()


@dataclass(frozen=True)
class ChatResponse:
    """A whole answer, with all choices that were asked for. Times are in seconds from the start of the call, and
    include waking the endpoint. `text` and the like are those of the first choice."""

    choices: Sequence[ChatChoice]
    usage: Usage
    seconds: float
    seconds_to_first_token: float | None
    woke: bool
    answer: AnswerId = AnswerId()
    extra: ExtraFields = ExtraFields()

    @property
    def text(self) -> str:
        return self.choices[0].text

    @property
    def reasoning(self) -> str:
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> Sequence[Mapping[str, Any]]:
        return self.choices[0].tool_calls

    @property
    def finish_reason(self) -> str | None:
        return self.choices[0].finish_reason

    @property
    def tokens_per_second(self) -> float | None:
        """Generation speed: the tokens after the first, divided by their time. None if it is unknown."""
        tokens, first = self.usage.completion_tokens, self.seconds_to_first_token
        if tokens is None or tokens < 2 or first is None or self.seconds <= first:
            return None
        return (tokens - 1) / (self.seconds - first)


@dataclass
class _GrowingCall:
    """One call of a tool while its fragments arrive. Each has a piece of the arguments."""

    fields: dict[str, Any] = field(default_factory=dict)
    name: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def add(self, fragment: Mapping[str, Any]) -> None:
        self.fields |= {key: value for key, value in fragment.items() if value and key not in {"index", "function"}}
        function = fragment.get("function")
        if isinstance(function, dict):
            name = function.get("name")
            self.name.append(name if isinstance(name, str) else "")
            self.arguments.append(arguments_to_text(function.get("arguments")))

    def whole(self) -> dict[str, Any]:
        return self.fields | {"function": {"name": "".join(self.name), "arguments": "".join(self.arguments)}}


@dataclass
class _Growing:
    """One choice while its parts arrive."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tool_calls: dict[int, _GrowingCall] = field(default_factory=dict)
    logprobs: list[Mapping[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    fields: GrowingFields = field(default_factory=lambda: GrowingFields(list))
    message: GrowingFields = field(default_factory=lambda: GrowingFields(list, str))

    def add(self, delta: ChatDelta) -> None:
        self.fields.add(delta.extra.choice)
        self.message.add(delta.extra.message)
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.refusal.append(delta.refusal)
        self.logprobs.extend(delta.logprobs)
        self.finish_reason = delta.finish_reason or self.finish_reason
        for fragment in delta.tool_calls:
            self._add_tool_call(fragment)

    def _add_tool_call(self, fragment: Mapping[str, Any]) -> None:
        """All fragments of a call have one `index`."""
        index = fragment.get("index")
        index = index if isinstance(index, int) else len(self.tool_calls)
        self.tool_calls.setdefault(index, _GrowingCall()).add(fragment)

    def choice(self, index: int) -> ChatChoice:
        return ChatChoice(
            index,
            "".join(self.text),
            "".join(self.reasoning),
            [call.whole() for _, call in sorted(self.tool_calls.items())],
            self.finish_reason,
            "".join(self.refusal),
            self.logprobs,
            ExtraFields(choice=self.fields.whole(), message=self.message.whole()),
        )


@dataclass
class ChatAccumulator:
    """Assembles deltas into a whole response. After an error it has what was written until then."""

    choices: dict[int, _Growing] = field(default_factory=dict)
    usage: Usage = Usage()
    answer: AnswerId = AnswerId()
    fields: GrowingFields = field(default_factory=GrowingFields)
    seconds: float = 0.0
    seconds_to_first_token: float | None = None
    woke: bool = False

    @property
    def began(self) -> bool:
        """Whether the model has written something."""
        return self.seconds_to_first_token is not None

    def add(self, delta: ChatDelta, elapsed: float) -> None:
        self.seconds = elapsed
        if not self.began and delta.is_written:
            self.seconds_to_first_token = elapsed
        self.usage = delta.usage or self.usage
        self.answer = delta.answer if self.answer == AnswerId() else self.answer
        self.fields.add(delta.extra.answer)
        self.choices.setdefault(delta.index, _Growing()).add(delta)

    def response(self) -> ChatResponse:
        return ChatResponse(
            choices=[growing.choice(index) for index, growing in sorted(self.choices.items())] or [ChatChoice()],
            usage=self.usage,
            seconds=self.seconds,
            seconds_to_first_token=self.seconds_to_first_token,
            woke=self.woke,
            answer=self.answer,
            extra=ExtraFields(answer=self.fields.whole()),
        )
