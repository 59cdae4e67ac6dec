"""Speech recognition worker: English speech to text, with times on request."""

from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.media_requests import only, read_form, read_media
from inference_endpoints_local.workers.worker_http import cancel_on_disconnect, unprocessable
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

if TYPE_CHECKING:
    from inference_endpoints_local.workers.speech.whisper import SpokenSegment, Whisper

MAX_AUDIO_S = 30 * 60
_ENGLISH = ("en", "english")
_FORMATS = ("json", "text", "verbose_json")


class SpeechRecognition:
    """The routes of the worker. One window of sound is heard at a time, on all threads of the worker."""

    def __init__(self, whisper: "Whisper") -> None:
        self._whisper = whisper
        self._limiter = anyio.CapacityLimiter(1)

    async def recognize(self, request: Request) -> Response:
        """`POST /`: `{"text"}`, and with `return_timestamps` also `chunks` with their seconds."""
        media = await read_media(request)
        only(
            media.parameters,
            {
                "return_timestamps": lambda value: isinstance(value, bool) or value == "segment",
                "language": _is_english,
                "generation_parameters": lambda value: value == {},
            },
        )
        segments, _ = await self._hear(request, media.content)
        answer: dict[str, Any] = {"text": _text(segments)}
        if media.parameters.get("return_timestamps"):
            answer["chunks"] = [{"timestamp": [each.start, each.end], "text": each.text} for each in segments]
        return JSONResponse(answer)

    async def openai_transcriptions(self, request: Request) -> Response:
        """`POST /v1/audio/transcriptions`: a form with `file`."""
        form = await read_form(request)
        only(
            form.parameters,
            {
                "model": lambda _: True,
                "language": _is_english,
                "temperature": lambda value: value in ("0", "0.0"),
                "response_format": lambda value: value in _FORMATS,
                "timestamp_granularities[]": lambda value: value == "segment",
                "stream": lambda value: value == "false",
            },
            prefix="",
        )
        segments, seconds = await self._hear(request, form.content)
        kind = form.parameters.get("response_format", "json")
        if kind == "text":
            return PlainTextResponse(_text(segments))
        answer: dict[str, Any] = {"text": _text(segments)}
        if kind == "verbose_json":
            answer |= {"task": "transcribe", "language": "english", "duration": round(seconds, 2)}
            answer["segments"] = [
                {"id": number, "start": each.start, "end": each.end, "text": each.text}
                for number, each in enumerate(segments)
            ]
        return JSONResponse(answer)

    async def _hear(self, request: Request, content: bytes) -> "tuple[list[SpokenSegment], float]":
        """The segments, and how long the sound is in seconds."""
        from inference_endpoints_local.workers.speech.whisper import SAMPLE_RATE, NotAudio, TooLong, decode

        try:
            samples = await anyio.to_thread.run_sync(decode, content, MAX_AUDIO_S, limiter=self._limiter)
        except NotAudio:
            raise unprocessable(
                "The file is no sound that can be read here: send WAV, MP3, FLAC or Ogg Vorbis"
            ) from None
        except TooLong:
            raise unprocessable(f"The recording is longer than {MAX_AUDIO_S // 60} minutes: send it in parts") from None
        seconds = len(samples) / SAMPLE_RATE

        async def hear() -> "list[SpokenSegment]":
            segments, at_s = [], 0.0
            while at_s < seconds:
                heard, at_s = await anyio.to_thread.run_sync(
                    self._whisper.transcribe, samples, at_s, limiter=self._limiter
                )
                segments += heard
            return segments

        return await cancel_on_disconnect(request, hear()), seconds


def _is_english(language: Any) -> bool:
    return isinstance(language, str) and language.lower() in _ENGLISH


def _text(segments: "list[SpokenSegment]") -> str:
    return " ".join(each.text for each in segments)


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and return its routes."""
    from inference_endpoints_local.workers.speech.whisper import Whisper

    model = SpeechRecognition(Whisper(config.files, config.threads))
    return [
        Route("/", model.recognize, methods=["POST"]),
        Route("/predict", model.recognize, methods=["POST"]),
        Route("/v1/audio/transcriptions", model.openai_transcriptions, methods=["POST"]),
    ]


if __name__ == "__main__":
    serve(load)
