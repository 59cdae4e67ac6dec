"""Real models, called by an unmodified huggingface_hub."""

import asyncio

import pytest
from huggingface_hub import HfApi, InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from huggingface_hub.utils._http import get_session
from tests.clients.conftest import Deployed
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.daemon.connect import RunningPlane

pytestmark = pytest.mark.models
CHAT = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBED = "sentence-transformers/all-MiniLM-L6-v2"
MESSAGES = [{"role": "user", "content": "Say hello."}]


@pytest.mark.filterwarnings("ignore:.*is experimental:UserWarning")  # the client's word on its catalogue functions
def test_a_model_of_the_catalogue_is_deployed_chats_sleeps_and_wakes(hub: HfApi, plane: RunningPlane) -> None:
    endpoint = hub.create_inference_endpoint_from_catalog(CHAT, accelerator="cpu")
    assert endpoint.name.startswith("smollm2-135m-instruct-")
    endpoint.wait(timeout=HANG_TIMEOUT_S, refresh_every=0.1)
    client = endpoint.client  # kept: its streams end with it
    answer = client.chat_completion(MESSAGES, max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens <= 8

    chunks = list(client.chat_completion(MESSAGES, max_tokens=8, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason in ("length", "stop")

    async def awaited() -> str:
        async with endpoint.async_client as awaiting:
            return str((await awaiting.chat_completion(MESSAGES, max_tokens=4)).choices[0].message.content)

    assert asyncio.run(awaited())
    assert client.text_generation("Once upon a time", max_new_tokens=5)
    pieces = list(client.text_generation("Once upon a time", max_new_tokens=5, stream=True))
    assert 1 < len(pieces) <= 5

    assert endpoint.scale_to_zero().status == "scaledToZero"
    headers = {"Authorization": f"Bearer {plane.token}", "X-Scale-Up-Timeout": "60"}
    woken = get_session().post(str(endpoint.url), json={"inputs": "Hi"}, headers=headers)
    assert woken.status_code == 200
    assert endpoint.fetch().status == "running"


def test_sentences_become_vectors(deployed: Deployed) -> None:
    with deployed(EMBED) as endpoint:
        assert endpoint.task == "feature-extraction"
        assert endpoint.client.feature_extraction("a cat", normalize=True).shape[-1] == 384


def test_sentences_are_compared(deployed: Deployed) -> None:
    with deployed(EMBED, task="sentence-similarity") as endpoint:
        near, far = endpoint.client.sentence_similarity("A cat sleeps.", ["A kitten naps.", "Stocks fell."])
        assert near > far


def test_zero_shot_classification_works_with_any_labels(deployed: Deployed) -> None:
    with deployed(EMBED, task="zero-shot-classification") as endpoint:
        best, *_ = endpoint.client.zero_shot_classification("The striker scored twice.", ["sports", "cooking"])
        assert best.label == "sports"


def test_text_is_classified_for_those_who_may_until_it_is_paused(deployed: Deployed) -> None:
    with deployed("fasttext/lid.176-ftz") as endpoint:
        client, question = endpoint.client, "Wo ist der Bahnhof?"
        best, *_ = client.text_classification(question)
        assert "de" in best.label
        with pytest.raises(HfHubHTTPError, match="401"):
            InferenceClient(endpoint.url, token="wrong").text_classification(question)
        endpoint.pause()
        with pytest.raises(BadRequestError, match="is paused"):
            client.text_classification(question)
