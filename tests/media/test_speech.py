"""Speech: what one model says is what the other hears, by the clients of others."""

import base64
import io
import wave
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI, UnprocessableEntityError

from inference_endpoints_local.models import catalogue, weights
from inference_endpoints_local.workers.speech.pronunciation import Pronunciation

pytestmark = pytest.mark.models


def test_a_sentence_that_is_spoken_is_heard(speech: bytes, hearing: Any) -> None:
    with wave.open(io.BytesIO(speech)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24_000)
        assert 1 < sound.getnframes() / sound.getframerate() < 6
    heard = InferenceClient(model=hearing.url, token=hearing.secret).automatic_speech_recognition(speech)
    assert heard.text == "The weather is nice today."


def test_the_openai_routes_hear_the_same_with_times(speech: bytes, hearing: Any) -> None:
    openai = OpenAI(base_url=f"{hearing.url}/v1", api_key=hearing.secret, max_retries=0)
    heard = openai.audio.transcriptions.create(model="any", file=("a.wav", speech), response_format="verbose_json")
    assert heard.segments
    assert 0 <= heard.segments[0].start < heard.segments[-1].end <= heard.duration + 0.1
    assert heard.text == " ".join(segment.text for segment in heard.segments)
    text = openai.audio.transcriptions.create(model="any", file=("a.wav", speech), response_format="text")
    assert text.strip() == heard.text
    with pytest.raises(UnprocessableEntityError, match="language"):
        openai.audio.transcriptions.create(model="any", file=("a.wav", speech), language="de")


def test_a_recording_longer_than_a_window_loses_nothing_and_keeps_its_times(speech: bytes, hearing: Any) -> None:
    with wave.open(io.BytesIO(speech)) as sound:
        settings, samples = sound.getparams(), sound.readframes(sound.getnframes())
    silence = bytes(settings.framerate * settings.sampwidth * 26)
    long = io.BytesIO()
    with wave.open(long, "wb") as sound:  # the window of 30 seconds ends in the second sentence
        sound.setparams(settings)
        sound.writeframes(samples + silence + samples)
    openai = OpenAI(base_url=f"{hearing.url}/v1", api_key=hearing.secret, max_retries=0)
    heard = openai.audio.transcriptions.create(
        model="any", file=("a.wav", long.getvalue()), response_format="verbose_json"
    )
    assert heard.text.count("The weather is nice today") == 2
    assert heard.segments
    starts = [segment.start for segment in heard.segments]
    assert starts == sorted(starts)
    assert heard.segments[-1].end > 28  # after long silence the model knows the start less well


@pytest.mark.parametrize("body", [{"inputs": "@@"}, {"inputs": "aGVsbG8="}, {"inputs": ""}, {}])
def test_what_is_no_recording_is_refused(hearing: Any, body: Any) -> None:
    assert hearing.post("/", body)[0] == 422


def test_a_recording_of_hours_is_refused_before_it_is_decoded(hearing: Any) -> None:
    hours = io.BytesIO()
    with wave.open(hours, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(2_000)
        sound.writeframes(bytes(2_000 * 60 * 60 * 2))
    status, answer = hearing.post("/v1/audio/transcriptions", b"no form")
    assert (status, answer["error"]["param"]) == (400, "file")
    status, answer = hearing.post("/", {"inputs": base64.b64encode(hours.getvalue()).decode()})
    assert (status, "longer than 30 minutes" in answer["error"]) == (422, True)


def test_the_openai_route_speaks_and_counts_what_it_had_to_spell(speaking: Any) -> None:
    openai = OpenAI(base_url=f"{speaking.url}/v1", api_key=speaking.secret, max_retries=0)
    answer = openai.audio.speech.with_raw_response.create(
        model="any", voice="jf_alpha", input="Qwrt.", response_format="pcm"
    )
    assert answer.headers["content-type"] == "audio/pcm"
    assert answer.headers["x-spelled-words"] == "1"
    assert len(answer.content) > 24_000
    with pytest.raises(UnprocessableEntityError, match="voice"):
        openai.audio.speech.create(model="any", voice="alloy", input="Hi.")


@pytest.mark.parametrize("text", ["", " ", "你好", "!?", "x" * 2001, None, 5])
def test_what_cannot_be_spoken_is_refused(speaking: Any, text: Any) -> None:
    status, answer = speaking.post("/", {"inputs": text})
    assert (status, "`inputs`" in answer["error"]) == (422, True)


@pytest.fixture(scope="module")
def pronunciation() -> Pronunciation:
    files = catalogue.resolve_model("hexgrad/Kokoro-82M").files(weights.default_cache_dir())
    gold, silver = files["gold"], files["silver"]
    return Pronunciation(gold, silver)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("$3.50", "three dollars and fifty cents"),
        ("1,234 or 1984", "one thousand two hundred thirty four or nineteen eighty four"),
        ("the 21st, 50%", "the twenty first, fifty percent"),
        ("-0.5", "minus zero point five"),
        ("007", "zero zero seven"),
        ("naïve \u2014 it\u2019s", "naive, it's"),
    ],
)
def test_numbers_signs_and_accents_are_read_as_words(pronunciation: Pronunciation, written: str, read: str) -> None:
    assert pronunciation.pronounce(written).sounds == pronunciation.pronounce(read).sounds


def test_endings_and_pairs_of_known_words_are_read_and_the_rest_is_spelled(pronunciation: Pronunciation) -> None:
    for known in ("answers", "boxes", "cities", "stopped", "baking", "Huggingface", "endpoint's"):
        assert pronunciation.pronounce(known).spelled == 0, known
    spelled = pronunciation.pronounce("Qwrt")
    assert (spelled.spelled, spelled.sounds) == (1, pronunciation.pronounce("Q W R T").sounds)
    assert pronunciation.pronounce("the apple").sounds.startswith("ði ")
    assert pronunciation.pronounce("the pear").sounds.startswith("ðə ")
