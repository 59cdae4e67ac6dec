"""The jobs: what a person asks, the world it is asked in, and the world that is right afterwards."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.support.plane_driver import CAN_SLEEP, Driver
from tests.support.scenarios import L4, finish_all_attempts, finish_starts


@dataclass(frozen=True)
class Job:
    """`is_done` gets the last answer of the model as well: some jobs ask for nothing but that."""

    name: str
    request: str
    prepare: Callable[[Driver], Awaitable[None]]
    is_done: Callable[[Driver, str], Awaitable[bool]]


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
)
