"""kill -9 of the plane, of a worker, or of both, at any time under load: every acknowledged change is there again.

Planes are real daemons, one after the other on the same folder. Several clients change and call endpoints all the time,
workers and simulated ones. After every kill their responses are compared with what is found.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from tests.crash.clients import ENDPOINTS, Client, Documents
from tests.crash.site import Site
from tests.support.polling import eventually

from inference_endpoints_local.daemon.plane import available_cores

pytestmark = pytest.mark.anyio

# A killed worker is started after a pause, and given up after three kills in a row. So none is killed twice in a row.
KINDS = {"plane": 5, "both": 3, "stopped worker and plane": 0.3, "worker": 2}
UNDER_LOAD_S = 0.3
ANSWERS_BEFORE_KILL = 10
"""So that there is load on a slow machine too. The kill comes at a random time after them."""
STARTS_WITHIN_S = 0.5


class Trial:
    """A folder, its clients, and one crash after the other."""

    def __init__(self, path: Path, random: Random) -> None:
        self.site = Site(path)
        self._random = random
        workers = [Client(self.site, random, f"w{n}", local=True) for n in range(min(2, available_cores()))]
        simulated = [Client(self.site, random, *(f"s{n}{m}" for m in range(3)), local=False) for n in range(2)]
        self.clients = [*workers, *simulated]
        self._last = ""

    @property
    def answered(self) -> int:
        """The number of requests that were answered."""
        return sum(client.answered for client in self.clients)

    async def start(self) -> None:
        """Start the plane. It may be killed while it starts."""
        self.site.spawn()
        while self._random.random() < 0.15:
            await asyncio.sleep(self._random.uniform(0, STARTS_WITHIN_S))
            self.site.kill_plane()
            self.site.spawn()
        await self.site.up()

    async def crash(self) -> None:
        """Kill at a random time under load, and check that every endpoint has its wanted state."""
        kind = self._random.choices([*KINDS], [*KINDS.values()])[0]
        kind = "plane" if kind == self._last == "worker" else kind
        self._last = kind
        async with self._load():
            answers = self.answered + ANSWERS_BEFORE_KILL
            await eventually(lambda: self.answered >= answers, f"{answers} answers")
            await asyncio.sleep(self._random.uniform(0, UNDER_LOAD_S))
            self._kill(kind)
        if kind != "worker":
            await self.start()
        await self.check()
        if self._random.random() < 0.7:
            await self.check_settled()  # else the next kill hits an unsettled plane

    def _kill(self, kind: str) -> None:
        which = self._random.randrange(100)
        plane_first = self._random.random() < 0.5
        if kind == "both" and plane_first:
            self.site.kill_plane()
        if kind in ("both", "worker"):
            self.site.kill_worker(which)
        if kind == "stopped worker and plane":
            self.site.stop_worker(which)
        if kind != "worker":
            self.site.kill_plane()

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        over = asyncio.Event()
        calling = [asyncio.create_task(client.run(over)) for client in self.clients]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*calling)

    async def check(self) -> None:
        """Exactly the acknowledged endpoints are there."""
        documents = await self._documents()
        for client in self.clients:
            client.found(documents)
        known = {name for client in self.clients for name, account in client.accounts.items() if account.known}
        assert set(documents) == known == self.site.stored()

    async def check_settled(self) -> None:
        """Every endpoint reaches its wanted state, and there is no surplus worker."""

        async def settled() -> bool:
            documents = await self._documents()
            return all(client.settled(documents) for client in self.clients)

        await eventually(settled, "every endpoint has its wanted state")
        states = [account.known for client in self.clients if client.local for account in client.accounts.values()]
        wanted = sum(state is not None and state.power == "on" for state in states)
        await eventually(lambda: self.site.children() == (wanted, wanted), f"{wanted} workers, all of this plane")
        await self._check_versions()

    async def _check_versions(self) -> None:
        """Workers run the version that was acknowledged last."""
        documents = await self._documents()
        for client in self.clients:
            for name, account in client.accounts.items():
                if client.local and account.known and account.known.power == "on":
                    path = "/e/" + documents[name]["status"]["url"].rpartition("/")[2]
                    answer = await self.site.call("POST", path, {}, X_Scale_Up_Timeout="10")
                    assert answer.status == 200, answer
                    assert answer.body["environment"]["VERSION"] == str(account.known.version)

    async def _documents(self) -> Documents:
        page = await self.site.call("GET", f"{ENDPOINTS}?limit=100")
        return {document["name"]: document for document in page.body["items"]}


@pytest.mark.timeout(600)
async def test_nothing_acknowledged_is_lost_and_nothing_is_left_over(seed: str, kills: int, tmp_path: Path) -> None:
    trial = Trial(tmp_path, Random(seed))
    kill = 0
    try:
        await trial.start()
        while kill < kills:
            kill += 1
            await trial.crash()
        await trial.check_settled()
        assert trial.answered >= ANSWERS_BEFORE_KILL * kills
    except BaseException as error:
        error.add_note(f"at kill {kill} of {kills}, with CRASH_SEED={seed.rpartition('-')[0]}: {trial.site}")
        raise
    finally:
        trial.site.clear()
    await eventually(lambda: not trial.site.workers(), "no worker is left")
