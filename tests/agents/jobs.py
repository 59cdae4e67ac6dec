"""The jobs: what a person asks, the world it is asked in, and the world that is right afterwards."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tests.support.planes.plane_driver import CAN_SLEEP, Driver
from tests.support.planes.scenarios import L4, VLLM, age, finish_all_attempts, finish_starts

SMALL, LARGE = "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen2.5-72B-Instruct"


@dataclass(frozen=True)
class Job:
    """`is_done` gets the last answer of the model as well: some jobs ask for nothing but that. `cloud_quota` is in
    accelerators of each type."""

    name: str
    request: str
    prepare: Callable[[Driver], Awaitable[None]]
    is_done: Callable[[Driver, str], Awaitable[bool]]
    cloud_quota: int = 16


async def _two_running(driver: Driver) -> None:
    for name, minutes in (("calm", 15), ("wasteful", 600)):
        scaling = {"scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": minutes}}
        await driver.create(name, compute=L4 | scaling)
    await finish_starts(driver)


async def _says_what_to_save(driver: Driver, answer: str) -> bool:
    return "1.6" in answer and "wasteful" in answer


async def _gated(driver: Driver) -> None:
    await driver.create("chat", compute=L4, model={"repository": "meta-llama/Llama-3.2-1B-Instruct"})
    await finish_all_attempts(driver)


async def _says_why_it_is_gated(driver: Driver, answer: str) -> bool:
    return "gated" in answer.lower() and await driver.state("chat") == "failed"


async def _wrong_port(driver: Driver) -> None:
    image = {"custom": {"url": "vllm/vllm-openai:v0.23.0", "port": 80}}
    await driver.create("chat", compute=L4, model={"image": image, "framework": "custom"})
    await finish_all_attempts(driver)


async def _has_the_right_port(driver: Driver, _: str) -> bool:
    return bool((await driver.get("chat"))["model"]["image"]["custom"]["port"] == 8000)


async def _experiments(driver: Driver) -> None:
    for name in ("exp-1", "exp-2", "exp-live", "prod"):
        await driver.create(name, tags=[] if name == "prod" else ["experiment"])
        if name != "exp-live":
            await driver.do(name, "pause")


async def _only_the_paused_experiments_are_gone(driver: Driver, _: str) -> bool:
    items = (await driver.call("GET", "/v2/endpoint/acme")).body["items"]
    return {document["name"] for document in items} == {"exp-live", "prod"}


async def _paused(driver: Driver) -> None:
    await driver.create("chat", compute=L4)
    await driver.do("chat", "pause")


async def _runs_with_one_to_four(driver: Driver, _: str) -> bool:
    document = await driver.get("chat")
    scaling = document["compute"]["scaling"]
    return document["status"]["state"] != "paused" and (scaling["minReplica"], scaling["maxReplica"]) == (1, 4)


async def _asleep(driver: Driver) -> None:
    await driver.create("chat", compute=L4 | CAN_SLEEP)
    await finish_starts(driver)
    await driver.put_to_sleep("chat")


async def _says_the_price_and_woke_nothing(driver: Driver, answer: str) -> bool:
    return "0.8" in answer and await driver.state("chat") == "scaledToZero"


async def _running(driver: Driver) -> None:
    await driver.create("chat", compute=L4, model={"env": {"A": "1"}})
    await finish_starts(driver)


async def _has_three_replicas_and_both_variables(driver: Driver, _: str) -> bool:
    document = await driver.get("chat")
    wanted = {"A": "1", "LOG_LEVEL": "debug"}
    return bool(document["compute"]["scaling"]["maxReplica"] == 3 and document["model"]["env"] == wanted)


async def _quota_in_use(driver: Driver) -> None:
    for name, days in (("old", 9), ("older", 30)):
        await driver.create(name, compute=L4 | {"scaling": {"minReplica": 1, "maxReplica": 8}})
        age(driver, name, timedelta(days=days))


async def _has_made_room(driver: Driver, _: str) -> bool:
    items = (await driver.call("GET", "/v2/endpoint/acme")).body["items"]
    paused = {document["name"] for document in items if document["status"]["state"] == "paused"}
    return paused == {"older"} and {document["name"] for document in items} == {"old", "older", "qwen"}


async def _update_failed(driver: Driver) -> None:
    await driver.create("chat", compute=L4, model={"repository": SMALL, "image": VLLM})
    await finish_starts(driver)
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"repository": LARGE}})
    await finish_all_attempts(driver)


async def _serves_what_it_served(driver: Driver, _: str) -> bool:
    document = await driver.get("chat")
    return bool(document["model"]["repository"] == SMALL and document["compute"]["instanceType"] == "nvidia-l4")


async def _no_hardware(driver: Driver) -> None:
    await driver.create("chat", compute=L4, model={"repository": SMALL})
    await driver.call("POST", "/local/capacity", {"hardware": "aws-us-east-1-nvidia-l4-x1", "replicas": 0})
    await finish_starts(driver)


async def _in_another_region(driver: Driver, _: str) -> bool:
    document = await driver.get("chat")
    return bool(document["provider"]["region"] == "eu-west-1" and document["model"]["repository"] == SMALL)


async def _is_on_other_hardware(driver: Driver, _: str) -> bool:
    document = await driver.get("chat")
    return bool(document["compute"]["instanceType"] == "nvidia-t4" and document["model"]["repository"] == SMALL)


async def _running_small(driver: Driver) -> None:
    await driver.create("chat", compute=L4, model={"repository": SMALL})
    await finish_starts(driver)


async def _fleet(driver: Driver) -> None:
    for number in range(120):
        await driver.create(f"e-{number:03d}", compute=CAN_SLEEP)
    await finish_starts(driver)
    for number in range(0, 120, 10):
        age(driver, f"e-{number:03d}", timedelta(days=9))


async def _only_the_idle_sleep(driver: Driver, _: str) -> bool:
    asleep = (await driver.call("GET", "/v2/endpoint/acme?state=scaledToZero&limit=100")).body["items"]
    return {document["name"] for document in asleep} == {f"e-{number:03d}" for number in range(0, 120, 10)}


JOBS: Sequence[Job] = (
    Job("saving", "What do all my endpoints cost per hour now, and what saves most?", _two_running, _says_what_to_save),
    Job("gated model", "Why does my endpoint chat not start? Change nothing.", _gated, _says_why_it_is_gated),
    Job("wrong port", "My endpoint chat never becomes ready. Mend it.", _wrong_port, _has_the_right_port),
    Job(
        "delete a set",
        "Delete my paused endpoints with the tag experiment, and nothing else.",
        _experiments,
        _only_the_paused_experiments_are_gone,
    ),
    Job("resume", "Start my endpoint chat again, with 1 to 4 replicas.", _paused, _runs_with_one_to_four),
    Job(
        "sleeper",
        "What would my endpoint chat cost per hour if it ran? Do not wake it.",
        _asleep,
        _says_the_price_and_woke_nothing,
    ),
    Job(
        "update",
        "Give my endpoint chat at most 3 replicas and the variable LOG_LEVEL=debug.",
        _running,
        _has_three_replicas_and_both_variables,
    ),
    Job(
        "quota",
        f"Deploy {SMALL} as qwen on aws-us-east-1-nvidia-l4-x1. If there is no quota, pause what is idle longest.",
        _quota_in_use,
        _has_made_room,
    ),
    Job(
        "failed update",
        "The update of chat failed. Put back what served before.",
        _update_failed,
        _serves_what_it_served,
    ),
    Job(
        "no hardware",
        "My endpoint chat waits and waits. Get it to run, as cheaply as possible.",
        _no_hardware,
        _is_on_other_hardware,
    ),
    Job("region", "Move my endpoint chat to a GPU in eu-west-1.", _running_small, _in_another_region),
    Job("fleet", "Scale to zero whatever was idle for more than a week.", _fleet, _only_the_idle_sleep, 120),
)
