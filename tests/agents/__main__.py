"""Tries a model on the jobs, and prints how it did."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.agents.chat_model import ChatModel
from tests.agents.jobs import JOBS
from tests.agents.trial import Score, try_job
from tests.support.planes import plane
from tests.support.planes.plane_driver import TOKEN

from inference_endpoints_local.daemon.plane import PlaneOptions


def main() -> int:
    """Returns 0 if the model was tried on every job, whatever it made of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--url", help="an OpenAI-compatible address, ending in /v1; its key is in AGENT_API_KEY")
    which.add_argument("--gguf", help="a model of this machine: the path of its file, or its name in the catalogue")
    parser.add_argument("--model", default="model", help="its name at that address")
    parser.add_argument("--job", action="append", choices=[job.name for job in JOBS], help="default: all")
    given = parser.parse_args()
    scores = asyncio.run(_try_all(given))
    print(f"{'job':<16}{'success':<9}{'calls':>6}{'tokens':>9}")
    for score in scores:
        print(f"{score.job:<16}{'yes' if score.success else 'no':<9}{score.calls:>6}{score.tokens:>9}  {score.why}")
    done = sum(score.success for score in scores)
    calls, tokens = sum(score.calls for score in scores), sum(score.tokens for score in scores)
    print(f"{done} of {len(scores)} jobs, {calls} calls, {tokens} tokens")
    return 0


async def _try_all(given: argparse.Namespace) -> list[Score]:
    jobs = [job for job in JOBS if not given.job or job.name in given.job]
    with tempfile.TemporaryDirectory() as folder:
        async with _model(given, Path(folder)) as model:
            scores = []
            for number, job in enumerate(jobs):
                try:
                    scores.append(await try_job(model, job, Path(folder) / f"world-{number}"))
                except Exception as error:  # a model that fails in one job is tried in the others
                    scores.append(Score(job.name, False, 0, 0, f"{type(error).__name__}: {error}"[:200]))
            return scores


@asynccontextmanager
async def _model(given: argparse.Namespace, folder: Path) -> AsyncIterator[ChatModel]:
    if given.url:
        model = ChatModel(given.url, given.model, os.environ.get("AGENT_API_KEY", ""))
        yield model
        await model.aclose()
        return
    async with plane.serving(PlaneOptions(data_dir=folder / "models", token=TOKEN, namespace="acme")) as driver:
        created = await driver.create_local("agent", model={"repository": given.gguf})
        if created.status != 200:
            raise SystemExit(f"this model cannot be served: {created.body}")
        document = await driver.reach("agent", "running", "failed")
        if document["status"]["state"] == "failed":
            raise SystemExit(f"this model cannot be served: {document['status'].get('errorMessage')}")
        model = ChatModel(f"{document['status']['url']}/v1", "agent", TOKEN)
        yield model
        await model.aclose()


if __name__ == "__main__":
    sys.exit(main())
