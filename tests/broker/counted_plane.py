"""A plane behind an address that counts what each replica sends there.

No health route can be called there: it is at the plane's own address, which a replica does not trust.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from tests.benchmarks.peers.plane import Plane
from tests.support.polling import eventually

from inference_endpoints_local.daemon.data_folder import DataFolder

_REQUEST = re.compile(rb"(?:GET|POST|PUT|DELETE) (/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_LONGEST_LINE = 2_000
_IN_A_ROW = 3


class CountedPlane:
    """`folder` is a data folder that shows the plane at the counting address, `replicas` are the processes that use
    it."""

    def __init__(self, plane: Plane, folder: Path) -> None:
        self.folder = folder
        self.replicas: list[Any] = []
        self._plane = plane
        self._counts: dict[int, Counter[str]] = defaultdict(Counter)
        """Requests for each path, by process."""
        self._open: set[asyncio.Task[None]] = set()

    @property
    def reads(self) -> list[int]:
        """Requests of each replica for an endpoint, or for all of the namespace."""
        path = re.compile(f"/v2/endpoint/{self._plane.connection.namespace}(/[^/]+)?")
        counts = [self._counts[each.pid] for each in self.replicas]
        return [sum(count for requested, count in each.items() if path.fullmatch(requested)) for each in counts]

    async def pause(self, name: str = "chat") -> None:
        """Pause an endpoint past all replicas."""
        await asyncio.to_thread(lambda: self._plane.http.post(self._plane.path(name, "pause")).raise_for_status())

    async def one_that_polls(self, among: Iterable[int]) -> int:
        """The replica among these that reads, as soon as several reads in a row are all its own."""
        numbers = list(among)
        while True:
            before = self.reads
            await eventually(lambda before=before: sum(self.reads) - sum(before) >= _IN_A_ROW)  # type: ignore[misc]
            read = [each for each in numbers if self.reads[each] > before[each]]
            if len(read) == 1:
                return read[0]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        folder = DataFolder(self.folder)
        folder.prepare()
        with folder.hold():
            folder.publish(replace(self._plane.connection, url=address))
            try:
                yield
            finally:
                server.close()
                for task in list(self._open):
                    task.cancel()
                await asyncio.gather(*self._open, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        writers = [writer]
        try:
            counts = self._counts[self._process_at(writer.get_extra_info("peername")[1])]
            plane_reader, plane_writer = await asyncio.open_connection("127.0.0.1", self._plane.connection.port)
            writers.append(plane_writer)
            await asyncio.gather(_copy(reader, plane_writer, counts), _copy(plane_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for each in writers:
                each.close()
            self._open.discard(task)

    def _process_at(self, port: int) -> int:
        """The replica that connected from this port; 0 for one that ended meanwhile."""
        for each in self.replicas:
            with suppress(psutil.Error):
                if any(found.laddr.port == port for found in psutil.Process(each.pid).net_connections("tcp")):
                    return int(each.pid)
        return 0


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: "Counter[str] | None" = None
) -> None:
    kept = b""
    with suppress(OSError):
        while data := await reader.read(65_536):
            if counts is not None:
                kept += data
                ends = 0
                for found in _REQUEST.finditer(kept):
                    counts[found[1].decode()] += 1
                    ends = found.end()
                kept = kept[max(ends, len(kept) - _LONGEST_LINE) :]
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def counted(plane: Plane, folder: Path) -> AsyncIterator[CountedPlane]:
    counting = CountedPlane(plane, folder)
    async with counting.serving():
        yield counting
