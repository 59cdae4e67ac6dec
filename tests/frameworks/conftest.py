"""A plane with real models, servers of it over both transports, and jobs that run a client against them."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.frameworks.environments import JOB_SUPPORT, Environment
from tests.frameworks.model.server import ScriptedModel, served
from tests.frameworks.model.stories import Story, World, priced
from tests.frameworks.wire.recorded import Recorded, read_recorded
from tests.frameworks.wire.tap import recorded_address, recorded_command
from tests.support.command import COMMAND, INHERITED, address_of
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.daemon.connect import StartOptions, connect_plane, stop_plane

SPEED = 12
"""A simulated endpoint of a small model starts in 13 s, one of 7B parameters in 38 s, on four accelerators in 67 s."""
ON_THIS_MACHINE = ("--local", "--simulated", "--simulated-speed", str(SPEED), "--confirm-simulated")
PROMPT = "Deploy the small chat model on this machine, say hello to it, and delete it."
TRANSPORTS = ("stdio", "http")


@dataclass(frozen=True)
class Site:
    """A plane, and what each kind of server of it is started with. `urls` are those of the servers over HTTP."""

    folder: Path
    world: World
    urls: dict[str, str]

    def flags(self, approval: str) -> list[str]:
        return [*ON_THIS_MACHINE, "--data-dir", str(self.folder), "--confirm", approval]

    def forget_clients(self) -> None:
        """Let the servers know nothing of how long a client waits: many have the same name."""
        (self.folder / "holds.sqlite3").unlink(missing_ok=True)


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    model: ScriptedModel
    records: Path
    exit_code: int
    output: str

    def check(self) -> Recorded:
        """The story went to its end and the client ended well. Gives what the client sent."""
        assert self.model.failure is None, f"{self.model.failure}\n{self.output}"
        assert (self.model.ended, self.exit_code) == (True, 0), self.output
        return read_recorded(self.records)


Job = Callable[..., Result]


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    """Skip what needs a client that could not be installed."""
    callspec = getattr(request.node, "callspec", None)
    environment: Environment | None = callspec.params.get("environment") if callspec else None
    if environment is not None and not environment.is_installed:
        pytest.skip(f"{environment.name} is not installed: `make test-clients` installs it")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("plane")
    options = StartOptions(simulated=True, simulated_speed=SPEED, linger=600)
    plane = asyncio.run(connect_plane(folder, options))
    world = World(plane)
    site = Site(folder, world, {})
    with ExitStack() as stack:
        stack.callback(lambda: asyncio.run(stop_plane(folder)))
        stack.callback(world.close)
        for approval in ("elicit", "plan"):
            site.urls[approval] = stack.enter_context(http_server(site.flags(approval)))
        yield site


@contextmanager
def http_server(flags: list[str]) -> Iterator[str]:
    command = [*COMMAND, "serve", "--http", "--port", "0", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield address_of(process)
        finally:
            process.terminate()


@pytest.fixture
def name(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """The endpoint of a test, which does not outlive it."""
    given = request.node.callspec.params
    name = f"{given['environment'].name}-{given['transport']}"
    yield name
    for each in (name, priced(name)):
        site.world.delete(each)


@pytest.fixture
def job(site: Site, tmp_path: Path) -> Job:
    """Runs a client, with its defaults, for as long as the model's story goes."""

    def ran(
        environment: Environment, transport: str, story: Story, *, approval: str = "elicit", person_types: str = ""
    ) -> Result:
        records = tmp_path / f"records-{len(list(tmp_path.iterdir()))}"
        records.mkdir()
        with ExitStack() as stack:
            model = stack.enter_context(served(story))
            given: dict[str, object] = {"model_url": model.url, "person_types": person_types, "prompt": PROMPT}
            if transport == "http":
                given["url"] = stack.enter_context(recorded_address(records, site.urls[approval]))
            else:
                command = [*COMMAND, *site.flags(approval)]
                given["command"], given["args"] = recorded_command(records, command)
            ended = subprocess.run(
                environment.job_command(),
                input=json.dumps(given),
                env=job_variables(tmp_path),
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=HANG_TIMEOUT_S,
                check=False,
            )
        return Result(model, records, ended.returncode, ended.stdout + ended.stderr)

    return ran


def job_variables(home: Path) -> dict[str, str]:
    """What a client finds in its environment: no key, no token, an empty home."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {"HOME": str(home), "PYTHONPATH": str(JOB_SUPPORT), "PYTHONWARNINGS": "ignore"}
