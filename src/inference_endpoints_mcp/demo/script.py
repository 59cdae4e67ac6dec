"""`demo`: tool calls of an assistant deploy a real model on this machine, chat with it, and delete everything.

With `--media` one endpoint speaks a sentence, another hears it, and a third names an image.
"""

import asyncio
import json
import re
import shlex
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_endpoints_local.daemon.connect import PlaneError, stop_plane
from inference_endpoints_mcp.demo.console_host import (
    ConsoleHost,
    DemoReport,
    StepFailed,
    start_host,
    strip_fence,
)
from inference_endpoints_mcp.demo.drawing import draw_clock
from inference_endpoints_mcp.install.launch import find_command
from inference_endpoints_mcp.terminal import open_console

if TYPE_CHECKING:
    from rich.console import Console

CHAT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SPEECH_MODEL = "hexgrad/Kokoro-82M"
HEARING_MODEL = "Systran/faster-whisper-tiny.en"
IMAGE_MODEL = "google/efficientnet-lite0"
CLOUD_HARDWARE = "aws-us-east-1-nvidia-l4-x1"
SIMULATED_SPEED = 20
"""How many times faster than real time the simulated deployment runs."""

SENTENCE = "The cat is sleeping on the sofa."
PARAPHRASE = "A kitten naps on the couch."
UNRELATED = "Interest rates rose again in March."
SPOKEN = "The weather is nice today."

MEDIA_HINT = """
Speech and images run on this machine too: {command} demo --media
"""

HOST_INSTRUCTIONS = """
To use it in your own assistant, with this machine:

  {command} install                       shows which hosts are found here
  {command} install claude-code --local   or cursor, vscode, codex, …

For your real endpoints leave out --local: the server finds the token of HF_TOKEN or `hf auth login`.
"""


def run_demo(*, as_json: bool, media: bool = False) -> int:
    """Run the demo. The exit code is 0 only if every step was verified."""
    console = open_console(sys.stderr if as_json else sys.stdout)
    report, result = DemoReport(), dict[str, Any]()
    with tempfile.TemporaryDirectory(prefix="inference-endpoints-demo-") as folder:
        try:
            asyncio.run(_run_script(Path(folder), report, result, console, media=media))
            ok = True
        except* StepFailed:  # the client's task group raises an exception group
            ok = False
        finally:
            _stop(Path(folder))
    if as_json:
        steps = [asdict(step) for step in report.steps]
        seen = {"states_seen": report.states_seen, "progress_notifications": report.progress_notifications}
        print(json.dumps(result | {"steps": steps} | seen, ensure_ascii=False))
    elif ok:
        command = shlex.join(find_command())
        if not media:
            print(MEDIA_HINT.format(command=command), end="")
        print(HOST_INSTRUCTIONS.format(command=command))
    return 0 if ok else 1


async def _run_script(
    folder: Path, report: DemoReport, result: dict[str, Any], console: "Console", *, media: bool
) -> None:
    arguments = ["--local", "--data-dir", str(folder), "--namespace", "demo"]
    arguments += ["--simulated", "--simulated-speed", str(SIMULATED_SPEED)]
    approved: list[str] = []

    def approve(question: str) -> str:
        name = question.removeprefix("Delete endpoint ").split("?")[0].rpartition("/")[2]
        console.print(f"    ? {question}\n      a person types: {name}")
        approved.append(name)
        return name

    async with start_host(arguments, approve) as client:
        host = ConsoleHost(client, report, console)
        result["backend"] = "local"
        result["protocol_version"] = client.protocol_version
        await _list_what_exists(host)
        result["chat"] = await _deploy_and_chat(host)
        result["embedding_dimensions"] = await _embed(host)
        await _pause_and_resume(host)
        await _scale_to_zero_and_wake(host)
        if media:
            result["heard"] = await _speak_and_hear(host)
            result["image"] = await _name_an_image(host)
        await _simulate(host)
        result["endpoints_left"] = await _clean_up(host, approved, ["voice", "ear", "eye"] if media else [])


async def _list_what_exists(host: ConsoleHost) -> None:
    async with host.step("list_what_exists", "What exists?"):
        facts = await host.call("whoami")
        _verify(facts["backend"] == "local", "the backend is the embedded control plane")
        hardware = await host.call("get_vendors", limit=3)
        for row in hardware["hardware"]:
            host.show(row["hardware"], f"${row['price_per_hour_usd']:g}/h")
        models = await host.call("list_catalog_items")
        host.show("models", ", ".join(model["repository"] for model in models["models"]))


async def _deploy_and_chat(host: ConsoleHost) -> dict[str, Any]:
    async with host.step("plan", "A plan first, with its price"):
        planned = await host.call("create_endpoint", endpoint_name="assistant", repository=CHAT_MODEL, dry_run=True)
        _verify(planned["changed"] is False, "a dry run changes nothing")
        host.show("plan", f"{planned['hardware']}, ${planned['plan']['per_hour_at_most_usd']:g}/h at most")
    async with host.step("deploy_chat", f"Deploy a real chat model on this machine: {CHAT_MODEL}"):
        await host.call("create_endpoint", endpoint_name="assistant", repository=CHAT_MODEL)
        await _wait(host, "assistant")
    async with host.step("chat", "Chat with it, streamed"):
        answer = await host.call(
            "chat_with_endpoint",
            endpoint_name="assistant",
            message="Explain in two sentences what a GPU is good for.",
            max_tokens=80,
            temperature=0.2,
        )
        text = strip_fence(answer["text"])
        _verify(bool(text.strip()) and answer["completion_tokens"] > 1, "the model answers")
        host.show("model:", text)
        host.show("speed:", f"{answer['tokens_per_second']} tokens/s")
        return {"text": text, "tokens_per_second": answer["tokens_per_second"]}


async def _embed(host: ConsoleHost) -> int:
    async with host.step("embeddings", f"Embeddings that recognize a paraphrase: {EMBEDDING_MODEL}"):
        await host.call(
            "create_endpoint", endpoint_name="search", repository=EMBEDDING_MODEL, task="sentence-similarity"
        )
        await _wait(host, "search")
        pair = {"source_sentence": SENTENCE, "sentences": [PARAPHRASE, UNRELATED]}
        result = await host.call("call_endpoint", endpoint_name="search", inputs=[pair])
        ranked = [json.loads(line) for line in strip_fence(result["output"]).splitlines()]
        similarity = {sentence["index"]: sentence["similarity"] for sentence in ranked}
        near, far = similarity[0], similarity[1]
        host.show("sentence", SENTENCE)
        host.show(f"{near:.2f}", PARAPHRASE)
        host.show(f"{far:.2f}", UNRELATED)
        _verify(near > far + 0.2, "the paraphrase is more similar than the unrelated sentence")
        texts = [SENTENCE, PARAPHRASE]
        vectors = await host.call("call_endpoint", endpoint_name="search", path="/v1/embeddings", texts=texts)
        host.show("vectors", f"{vectors['vectors']} of {vectors['dimensions']} dimensions")
        _verify(vectors["vectors"] == 2, "each text has a vector")
        return int(vectors["dimensions"])


async def _pause_and_resume(host: ConsoleHost) -> None:
    async with host.step("pause_resume", "Stop the billing: pause, and resume"):
        paused = await host.call("pause_endpoint", endpoint_name="assistant")
        _verify(paused["state"] == "paused", "it is paused")
        await host.call_expecting_error(
            "chat_with_endpoint", "PAUSED", endpoint_name="assistant", message="Are you there?"
        )
        again = await host.call("pause_endpoint", endpoint_name="assistant")
        _verify(again["changed"] is False, "pausing twice changes nothing")
        await host.call("resume_endpoint", endpoint_name="assistant")
        await _wait(host, "assistant")


async def _scale_to_zero_and_wake(host: ConsoleHost) -> None:
    async with host.step("scale_to_zero_and_wake", "Scale to zero, and wake it with a call"):
        asleep = await host.call("scale_endpoint_to_zero", endpoint_name="assistant")
        _verify(asleep["state"] == "scaledToZero", "it is scaled to zero")
        answer = await host.call(
            "chat_with_endpoint", endpoint_name="assistant", message="Say hello.", max_tokens=16, temperature=0
        )
        host.show("model:", strip_fence(answer["text"]))
        _verify(answer["woke"] is True, "the call woke it")
        listed = await host.call("list_endpoints", state="running")
        _verify(listed["total"] == 2, "both endpoints run")


async def _speak_and_hear(host: ConsoleHost) -> str:
    """With one of the two cores, as the chat model has the other."""
    async with host.step("speak", f"Speech: one endpoint says a sentence ({SPEECH_MODEL})"):
        await host.call("pause_endpoint", endpoint_name="assistant")
        await host.call("create_endpoint", endpoint_name="voice", repository=SPEECH_MODEL)
        await _wait(host, "voice")
        spoken = await host.call("call_endpoint", endpoint_name="voice", path="/v1/audio/speech", text=SPOKEN)
        (sound,) = spoken["files"]
        host.show("said:", f"{SPOKEN} ({sound['seconds']:.1f} s of {sound['format']})")
        await host.call("pause_endpoint", endpoint_name="voice")
    async with host.step("hear", f"Another one hears it ({HEARING_MODEL})"):
        await host.call("create_endpoint", endpoint_name="ear", repository=HEARING_MODEL)
        await _wait(host, "ear")
        result = await host.call("call_endpoint", endpoint_name="ear", inputs=[{"audio": sound["uri"]}])
        heard = strip_fence(result["output"]).strip()
        host.show("heard:", heard)
        _verify(_words(heard) == _words(SPOKEN), "what was said is what was heard")
        await host.call("pause_endpoint", endpoint_name="ear")
        return heard


async def _name_an_image(host: ConsoleHost) -> str:
    async with host.step("name_image", f"An image is named ({IMAGE_MODEL})"):
        await host.call("create_endpoint", endpoint_name="eye", repository=IMAGE_MODEL)
        await _wait(host, "eye")
        result = await host.call("call_endpoint", endpoint_name="eye", inputs=[{"image": draw_clock()}])
        named = strip_fence(result["output"]).strip()
        host.show("a drawn clock is:", named)
        _verify("clock" in named.splitlines()[0], "it is seen as a clock")
        await host.call("pause_endpoint", endpoint_name="eye")
        return named.splitlines()[0]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


async def _simulate(host: ConsoleHost) -> None:
    title = f"How a real wait looks: SIMULATED cloud hardware, {SIMULATED_SPEED} times faster than real time"
    async with host.step("simulated_deploy", title):
        created = await host.call(
            "create_endpoint",
            endpoint_name="cloud-llm",
            repository="Qwen/Qwen2.5-7B-Instruct",
            hardware=CLOUD_HARDWARE,
        )
        _verify(created["backend"] == "simulated", "the result reports that it is simulated")
        host.show("price", f"${created['price_per_hour_usd']:g}/h for each replica (simulated: nothing is billed)")
        await _wait(host, "cloud-llm")
        listed = await host.call("list_endpoints", search="cloud")
        _verify(listed["cost_now_per_hour_usd"] == created["price_per_hour_usd"], "its price is counted while it runs")


async def _clean_up(host: ConsoleHost, approved: list[str], more: list[str]) -> int:
    async with host.step("delete", "Delete everything: a person approves each"):
        names = ["assistant", "search", "cloud-llm", *more]
        for name in names:
            deleted = await host.call("delete_endpoint", endpoint_name=name)
            _verify(deleted["changed"] is True, f"{name} is deleted")
        _verify(approved == names, "a person approved each deletion")
        left = await host.call("list_endpoints")
        _verify(left["total"] == 0, "nothing is left")
        return int(left["total"])


async def _wait(host: ConsoleHost, name: str) -> None:
    facts = await host.call("wait_for_endpoint", endpoint_name=name, timeout_s=300)
    _verify(facts["reached"] is True and facts["state"] == "running", f"{name} is running")


def _verify(condition: bool, claim: str) -> None:
    if not condition:
        raise StepFailed(f"not verified: {claim}")


def _stop(folder: Path) -> None:
    try:
        asyncio.run(stop_plane(folder))
    except PlaneError as error:
        print(f"The demo's control plane could not be stopped: {error}", file=sys.stderr)
