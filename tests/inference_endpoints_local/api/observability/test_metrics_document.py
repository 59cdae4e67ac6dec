"""Every metric route answers as the service's own document describes it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.polling import eventually
from tests.support.service.service_document import document, needs_document, validate

from inference_endpoints_local.engines.programs import from_catalogue

pytestmark = [pytest.mark.anyio, needs_document]

QUESTION = {"messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 8}
GPU: dict[str, Any] = {
    "compute": {"accelerator": "gpu", "instanceType": "nvidia-l4"},
    "model": {"image": {"vLLM": {"url": "vllm/vllm-openai:v0.30.0"}}},
}


def metric_paths() -> list[str]:
    return [path for path in document()["paths"] if "/metrics" in path]


async def answers_of(driver: Driver, name: str) -> dict[str, Any]:
    """The answer of each documented metric route, by its path."""
    now = datetime.now(UTC)
    body = {"start": (now - timedelta(hours=1)).isoformat(), "stop": now.isoformat()}
    answers = {}
    for path in metric_paths():
        answer = await driver.call("POST", path.format(namespace="acme", name=name), body)
        assert answer.status == 200, path
        answers[path] = answer.body
    return answers


def assert_documented(answers: dict[str, Any]) -> None:
    """Each answer fits its schema."""
    for path, answer in answers.items():
        described = document()["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        validate(answer, described)


def series_in(answer: Any) -> int:
    """How many series with points there are in an answer."""
    if isinstance(answer, list):
        return sum(map(series_in, answer))
    if not isinstance(answer, dict):
        return 0
    return bool(answer.get("data")) + sum(map(series_in, answer.values()))


@pytest.mark.models
async def test_the_metrics_of_a_real_model_are_as_documented(plane_of: PlaneOf) -> None:
    async with plane_of(programs=from_catalogue) as driver:
        await driver.create_local("chat", model={"repository": "HuggingFaceTB/SmolLM2-135M-Instruct"})
        await driver.reach("chat", "running")
        for token in (None, "wrong"):
            path = await driver.path_of("chat") + "/v1/chat/completions"
            await driver.call("POST", path, QUESTION, **({"token": token} if token else {}))
        ttft = next(path for path in metric_paths() if path.endswith("ttft"))

        async def engine_is_read() -> bool:
            return series_in((await answers_of(driver, "chat"))[ttft]) > 0

        await eventually(engine_is_read)
        answers = await answers_of(driver, "chat")
        assert_documented(answers)
        assert [path for path, answer in answers.items() if not series_in(answer)] == [
            path for path in answers if path.endswith(("hardware-gpu", "replica-ids"))
        ]


async def test_the_metrics_of_a_simulated_gpu_are_as_documented(driver: Driver) -> None:
    await driver.create("large", **GPU)
    await driver.call("POST", "/local/load", {"name": "large", "requests": 300})
    await driver.advance(600)
    await driver.call_endpoint(name="large")
    answers = await answers_of(driver, "large")
    assert_documented(answers)
    assert series_in(answers[next(path for path in answers if path.endswith("hardware-gpu"))]) == 1


@pytest.mark.parametrize("asleep", [False, True])
async def test_the_metrics_of_an_endpoint_without_replicas_are_as_documented(driver: Driver, asleep: bool) -> None:
    await driver.create("small")
    if asleep:
        await driver.do("small", "pause")
    assert_documented(await answers_of(driver, "small"))


async def test_open_metrics_are_of_the_documented_media_type(driver: Driver) -> None:
    await driver.create("small")
    (path,) = (path for path in document()["paths"] if path.endswith("/open-metrics"))
    answer = await driver.call("GET", path.format(namespace="acme", name="small"))
    assert (
        answer.headers["content-type"].partition(";")[0]
        in document()["paths"][path]["get"]["responses"]["200"]["content"]
    )
