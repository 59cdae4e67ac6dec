"""`demo`: an assistant's tool calls deploy a real model on this machine, talk to it, and clean up after themselves."""

import asyncio
import json
import shlex
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from inference_endpoints_local.daemon.connect import PlaneError, stop
from inference_endpoints_mcp.demo.stage import Record, Stage, StepFailed, host, this_command, unfenced

CHAT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CLOUD_HARDWARE = "aws-us-east-1-nvidia-l4-x1"
SPEED = 6
"""How much faster than the clock the simulated deployment runs."""

SENTENCE = "The cat is sleeping on the sofa."
PARAPHRASE = "A kitten naps on the couch."
UNRELATED = "Interest rates rose again in March."

HOSTS = """
Now in your own assistant:

  Claude Code   claude mcp add inference-endpoints -- {words} --local
  Codex         codex mcp add inference-endpoints -- {words} --local
  Cursor        ~/.cursor/mcp.json, below "mcpServers"
  VS Code       .vscode/mcp.json, below "servers"
                  "inference-endpoints": {server}

That is this machine. For your real endpoints leave --local out, and set HF_TOKEN in the server's environment;
--max-price-per-hour 5 keeps what it starts below $5/h. manifests/hosts/ has whole files.
"""


def run(*, as_json: bool) -> int:
    """Run the demo. Exit code 0 only if every step was verified."""
    out = sys.stderr if as_json else sys.stdout
    record, result = Record(), dict[str, Any]()
    with tempfile.TemporaryDirectory(prefix="inference-endpoints-demo-") as folder:
        try:
            asyncio.run(_play(Path(folder), record, result, out))
            ok = True
        except* StepFailed:  # the client's task group raises it in a group
            ok = False
        finally:
            _stop(Path(folder))
    if as_json:
        steps = [asdict(step) for step in record.steps]
        seen = {"states_seen": record.states_seen, "progress_notifications": record.progress_notifications}
        print(json.dumps(result | {"steps": steps} | seen, ensure_ascii=False))
    elif ok:
        print(_what_to_paste())
    return 0 if ok else 1


async def _play(folder: Path, record: Record, result: dict[str, Any], out: TextIO) -> None:
    arguments = ["--local", "--data-dir", str(folder), "--namespace", "demo"]
    arguments += ["--simulated", "--simulated-speed", str(SPEED)]
    approved: list[str] = []

    def approve(question: str) -> str:
        name = question.removeprefix("Delete endpoint ").split("?")[0].rpartition("/")[2]
        out.write(f"    ? {question}\n      a person types: {name}\n")
        approved.append(name)
        return name

    async with host(arguments, approve) as client:
        stage = Stage(client, record, out)
        result["backend"] = "local"
        result["protocol_version"] = client.protocol_version
        await _look_around(stage)
        result["chat"] = await _deploy_and_chat(stage)
        result["embedding_dimensions"] = await _embed(stage)
        await _pause_and_resume(stage)
        await _sleep_and_wake(stage)
        await _simulate(stage)
        result["endpoints_left"] = await _clean_up(stage, approved)


async def _look_around(stage: Stage) -> None:
    async with stage.step("look_around", "What is there?"):
        facts = await stage.call("whoami")
        _expect(facts["backend"] == "local", "the backend is the embedded control plane")
        hardware = await stage.call("get_vendors", limit=3)
        for row in hardware["hardware"]:
            stage.show(row["hardware"], f"${row['price_per_hour_usd']:g}/h")
        models = await stage.call("list_catalog_items")
        stage.show("models", ", ".join(model["repository"] for model in models["models"]))


async def _deploy_and_chat(stage: Stage) -> dict[str, Any]:
    async with stage.step("plan", "A plan first, with its price"):
        planned = await stage.call("create_endpoint", endpoint_name="assistant", repository=CHAT_MODEL, dry_run=True)
        _expect(planned["changed"] is False, "a dry run changes nothing")
        stage.show("plan", f"{planned['hardware']}, ${planned['plan']['per_hour_at_max_usd']:g}/h at most")
    async with stage.step("deploy_chat", f"Deploy a real chat model on this machine: {CHAT_MODEL}"):
        await stage.call("create_endpoint", endpoint_name="assistant", repository=CHAT_MODEL)
        await _wait(stage, "assistant")
    async with stage.step("chat", "Talk to it, streamed"):
        said = await stage.call(
            "chat_with_endpoint",
            endpoint_name="assistant",
            message="Explain in two sentences what a GPU is good for.",
            max_tokens=80,
            temperature=0.2,
        )
        text = unfenced(said["text"])
        _expect(bool(text.strip()) and said["completion_tokens"] > 1, "the model answers")
        stage.show("model:", text)
        stage.show("speed:", f"{said['tokens_per_second']} tokens/s")
        return {"text": text, "tokens_per_second": said["tokens_per_second"]}


async def _embed(stage: Stage) -> int:
    async with stage.step("embeddings", f"Embeddings that know a paraphrase: {EMBEDDING_MODEL}"):
        await stage.call(
            "create_endpoint", endpoint_name="search", repository=EMBEDDING_MODEL, task="sentence-similarity"
        )
        await _wait(stage, "search")
        pair = {"inputs": {"source_sentence": SENTENCE, "sentences": [PARAPHRASE, UNRELATED]}}
        alike = await stage.call("call_endpoint", endpoint_name="search", body=pair)
        near, far = json.loads(unfenced(alike["output"]))
        stage.show("sentence", SENTENCE)
        stage.show(f"{near:.2f}", PARAPHRASE)
        stage.show(f"{far:.2f}", UNRELATED)
        _expect(near > far + 0.2, "the paraphrase is nearer than the unrelated sentence")
        texts = {"input": [SENTENCE, PARAPHRASE]}
        vectors = await stage.call("call_endpoint", endpoint_name="search", path="/v1/embeddings", body=texts)
        stage.show("vectors", f"{vectors['vectors']} of {vectors['dimensions']} dimensions")
        _expect(vectors["vectors"] == 2, "each text has a vector")
        return int(vectors["dimensions"])


async def _pause_and_resume(stage: Stage) -> None:
    async with stage.step("pause_resume", "Stop paying: pause, and resume"):
        paused = await stage.call("pause_endpoint", endpoint_name="assistant")
        _expect(paused["state"] == "paused", "it is paused")
        await stage.refused("chat_with_endpoint", "PAUSED", endpoint_name="assistant", message="Are you there?")
        again = await stage.call("pause_endpoint", endpoint_name="assistant")
        _expect(again["changed"] is False, "pausing twice changes nothing")
        await stage.call("resume_endpoint", endpoint_name="assistant")
        await _wait(stage, "assistant")


async def _sleep_and_wake(stage: Stage) -> None:
    async with stage.step("sleep_wake", "Scale to zero, and wake it by calling it"):
        asleep = await stage.call("scale_endpoint_to_zero", endpoint_name="assistant")
        _expect(asleep["state"] == "scaledToZero", "it is scaled to zero")
        said = await stage.call(
            "chat_with_endpoint", endpoint_name="assistant", message="Say hello.", max_tokens=16, temperature=0
        )
        stage.show("model:", unfenced(said["text"]))
        _expect(said["woke"] is True, "the call woke it")
        listed = await stage.call("list_endpoints", state="running")
        _expect(listed["total"] == 2, "both endpoints run")


async def _simulate(stage: Stage) -> None:
    title = f"What a real wait looks like: SIMULATED cloud hardware, {SPEED} times as fast as the clock"
    async with stage.step("simulated_deploy", title):
        created = await stage.call(
            "create_endpoint",
            endpoint_name="cloud-llm",
            repository="meta-llama/Llama-3.1-8B-Instruct",
            hardware=CLOUD_HARDWARE,
        )
        _expect(created["backend"] == "simulated", "the answer says that it is simulated")
        stage.show("price", f"${created['price_per_hour_usd']:g}/h for each replica (simulated: nothing is billed)")
        await _wait(stage, "cloud-llm")
        listed = await stage.call("list_endpoints", search="cloud")
        _expect(listed["cost_now_per_hour_usd"] == created["price_per_hour_usd"], "its price counts while it runs")


async def _clean_up(stage: Stage, approved: list[str]) -> int:
    async with stage.step("delete", "Delete everything: a person approves each"):
        names = ["assistant", "search", "cloud-llm"]
        for name in names:
            deleted = await stage.call("delete_endpoint", endpoint_name=name)
            _expect(deleted["changed"] is True, f"{name} is deleted")
        _expect(approved == names, "a person was asked each time")
        left = await stage.call("list_endpoints")
        _expect(left["total"] == 0, "nothing is left")
        return int(left["total"])


async def _wait(stage: Stage, name: str) -> None:
    facts = await stage.call("wait_for_endpoint", endpoint_name=name, timeout_s=300)
    _expect(facts["reached"] is True and facts["state"] == "running", f"{name} is running")


def _what_to_paste() -> str:
    command, *arguments = this_command()
    server = {"command": command, "args": [*arguments, "--local"]}
    return HOSTS.format(words=shlex.join([command, *arguments]), server=json.dumps(server))


def _expect(true: bool, what: str) -> None:
    if not true:
        raise StepFailed(f"not verified: {what}")


def _stop(folder: Path) -> None:
    try:
        asyncio.run(stop(folder))
    except PlaneError as error:
        print(f"The demo's control plane could not be stopped: {error}", file=sys.stderr)
