"""Text to speech worker: English text to a WAV file."""

import io
import wave
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inference_endpoints_local.workers.media_requests import only
from inference_endpoints_local.workers.worker_http import cancel_on_disconnect, parameters, read_json, unprocessable
from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

if TYPE_CHECKING:
    from inference_endpoints_local.workers.speech.kokoro import Floats, Kokoro
    from inference_endpoints_local.workers.speech.pronunciation import Pronunciation

MAX_CHARACTERS = 2000
DEFAULT_VOICE = "jm_kumo"
SPELLED_HEADER = "x-spelled-words"
_FORMATS = {"wav": "audio/wav", "pcm": "audio/pcm"}


class SpeechSynthesis:
    """The routes of the worker. One sentence is spoken at a time, on all threads of the worker."""

    def __init__(self, kokoro: "Kokoro", pronunciation: "Pronunciation") -> None:
        self._kokoro = kokoro
        self._pronunciation = pronunciation
        self._limiter = anyio.CapacityLimiter(1)

    async def synthesize(self, request: Request) -> Response:
        """`POST /`: `{"inputs": text}` to a WAV file."""
        body = await read_json(request)
        options = parameters(body)
        only(options, self._options(), "parameters.")
        return await self._speech(request, body.get("inputs"), "inputs", options)

    async def openai_speech(self, request: Request) -> Response:
        """`POST /v1/audio/speech`: `{"input": text}` to a WAV file, or to samples with `response_format: pcm`."""
        body = {name: value for name, value in (await read_json(request)).items() if value is not None}
        text = body.pop("input", None)
        only(body, self._options() | {"model": lambda _: True, "stream_format": lambda value: value == "audio"}, "")
        return await self._speech(request, text, "input", body)

    def _options(self) -> dict[str, Any]:
        return {
            "voice": lambda value: value in self._kokoro.voices,
            "speed": lambda value: type(value) in (int, float) and 0.5 <= value <= 2,
            "response_format": lambda value: value in _FORMATS,
            "generation_parameters": lambda value: value == {},
        }

    async def _speech(self, request: Request, text: object, field: str, options: dict[str, Any]) -> Response:
        from inference_endpoints_local.workers.speech.kokoro import sentences

        if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARACTERS:
            raise unprocessable(f"`{field}` must be a text of 1 to {MAX_CHARACTERS} characters", field)
        pronounced = self._pronunciation.pronounce(text)
        pieces = [piece for piece in sentences(pronounced.sounds) if any(sound.isalpha() for sound in piece)]
        if not pieces:
            raise unprocessable(f"`{field}` has no word that can be spoken in English", field)
        voice, speed = options.get("voice", DEFAULT_VOICE), float(options.get("speed", 1))

        async def speak() -> "list[Floats]":
            return [
                await anyio.to_thread.run_sync(self._kokoro.speak, piece, voice, speed, limiter=self._limiter)
                for piece in pieces
            ]

        samples = await cancel_on_disconnect(request, speak())
        kind = options.get("response_format", "wav")
        content = _pcm(samples) if kind == "pcm" else _wav(_pcm(samples))
        return Response(content, media_type=_FORMATS[kind], headers={SPELLED_HEADER: str(pronounced.spelled)})


def _pcm(samples: "list[Floats]") -> bytes:
    """16 bits for each sample, the lower byte first."""
    return b"".join((piece * 32_767).astype("<i2").tobytes() for piece in samples)


def _wav(pcm: bytes) -> bytes:
    from inference_endpoints_local.workers.speech.kokoro import SAMPLE_RATE

    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(pcm)
    return file.getvalue()


def load(config: WorkerConfig) -> list[Route]:
    """Load the model and the dictionaries, and return the routes."""
    from inference_endpoints_local.workers.speech.kokoro import Kokoro
    from inference_endpoints_local.workers.speech.pronunciation import Pronunciation

    pronunciation = Pronunciation(config.files["gold"], config.files["silver"])
    model = SpeechSynthesis(Kokoro(config.files, config.threads), pronunciation)
    return [
        Route("/", model.synthesize, methods=["POST"]),
        Route("/predict", model.synthesize, methods=["POST"]),
        Route("/v1/audio/speech", model.openai_speech, methods=["POST"]),
    ]


if __name__ == "__main__":
    serve(load)
