"""Serve the plane of a data folder: `python -m inference_endpoints_local.daemon --data-dir D`.

The folder's lock comes first, and only then the imports that take time: of several daemons started at once, all but
one end before they cost anything.
"""

import argparse
import asyncio
import json
import logging
import os
import pkgutil
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from inference_endpoints_local import own_version
from inference_endpoints_local.daemon.connect import StartOptions
from inference_endpoints_local.daemon.data_folder import Connection, DataFolder
from inference_endpoints_local.daemon.plane_errors import DiskFull, PlaneError, PortInUse, StoreUnusable


@dataclass(frozen=True)
class DaemonOptions:
    """How to serve a data folder. The namespace is the user's name unless one is given.

    The plane ends after `linger` seconds in which nobody used it; without, it stays until it is stopped. `programs` is
    a `module:function` that says what serves a model, for development.
    """

    data_dir: Path
    port: int | None = None
    namespace: str | None = None
    simulated: bool = False
    simulated_speed: float = 1.0
    cloud_quota: int = StartOptions.cloud_quota
    linger: float | None = None
    programs: str | None = None


async def serve(options: DaemonOptions, ready: Callable[[Connection], None]) -> int:
    """Serve until stopped, by a signal or a caller, or no longer used; `ready` is told once it can be reached.

    Returns the exit code. Raises a PlaneError if the folder or the port cannot be had.
    """
    folder = DataFolder(options.data_dir)
    folder.prepare()
    with folder.hold():
        folder.withdraw()
        with _listen(options.port, folder.last_port) as listener:
            folder.last_port = listener.getsockname()[1]
            await _serve(options, folder, listener, ready)
    return 0


async def _serve(
    options: DaemonOptions, folder: DataFolder, listener: socket.socket, ready: Callable[[Connection], None]
) -> None:
    from inference_endpoints_local.daemon.plane import Plane, PlaneOptions
    from inference_endpoints_local.daemon.plane_server import PlaneServer
    from inference_endpoints_local.state.store import StoreError, StoreFull

    wanted = PlaneOptions(
        data_dir=folder.path,
        token=folder.token(),
        simulated=options.simulated,
        simulated_speed=options.simulated_speed,
        cloud_quota=options.cloud_quota,
    )
    if options.namespace is not None:
        wanted = replace(wanted, namespace=options.namespace)
    if options.programs is not None:
        wanted = replace(wanted, programs=pkgutil.resolve_name(options.programs))
    try:
        plane = Plane(wanted)
    except StoreFull as error:
        raise DiskFull(folder.path) from error
    except StoreError as error:
        raise StoreUnusable(str(error)) from error
    plane.url = "http://127.0.0.1:{1}".format(*listener.getsockname())
    connection = Connection(
        url=plane.url,
        token=wanted.token,
        namespace=wanted.namespace,
        version=own_version(),
        pid=os.getpid(),
        simulated=wanted.simulated,
    )
    await PlaneServer(plane, connection, folder, options.linger, ready).run(listener)


def run(options: DaemonOptions, ready: Callable[[Connection], None]) -> NoReturn:
    """`serve` in a process that does nothing else, and ends with it. Raises a PlaneError if it cannot begin."""

    async def to_the_end() -> NoReturn:
        code = await serve(options, ready)
        # The interpreter would wait for a thread that fetches weights, and that cannot be interrupted.
        os._exit(code)

    asyncio.run(to_the_end())


def _listen(asked: int | None, last: int) -> socket.socket:
    """A socket at the port asked for, else at the last one if that is free, else at any."""
    for port in (asked,) if asked else (last, 0):
        try:
            listener = socket.create_server(("127.0.0.1", port))
            # Connections inherit it. asyncio sets it only where a socket states its protocol, and without it an
            # answer's body waits 40 ms for the delayed acknowledgement of its head.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listener
        except (OSError, OverflowError):
            continue
    raise PortInUse(asked or 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Ends the process, or returns the exit code if it could not begin."""
    options, as_json = _parse(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def ready(plane: Connection) -> None:
        token_file = DataFolder(options.data_dir).token_file
        facts = {"url": plane.url, "namespace": plane.namespace, "token_file": str(token_file), "pid": plane.pid}
        spoken = f"Control plane at {plane.url}, namespace {plane.namespace}, token in {token_file}."
        text = json.dumps(facts | {"simulated": plane.simulated}) if as_json else spoken
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    try:
        run(options, ready)
    except PlaneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _parse(arguments: Sequence[str] | None) -> tuple[DaemonOptions, bool]:
    parser = argparse.ArgumentParser(prog="python -m inference_endpoints_local.daemon", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--namespace", help="default: the name of the user")
    parser.add_argument("--simulated", action="store_true", help="run nothing, with public cloud hardware and prices")
    parser.add_argument("--simulated-speed", type=float, default=1.0)
    parser.add_argument("--cloud-quota", type=int, default=StartOptions.cloud_quota, help="simulated accelerators")
    parser.add_argument("--programs", metavar="MODULE:FUNCTION", help="what serves a model, for development")
    parser.add_argument("--linger", type=float, help="seconds to stay without a lease")
    parser.add_argument("--foreground", action="store_true", help="stay until stopped")
    parser.add_argument("--json", action="store_true", help="say where it is as one line of JSON")
    given = parser.parse_args(arguments)
    linger = StartOptions.linger if given.linger is None and not given.foreground else given.linger
    options = DaemonOptions(
        data_dir=given.data_dir,
        port=given.port,
        namespace=given.namespace,
        simulated=given.simulated,
        simulated_speed=given.simulated_speed,
        cloud_quota=given.cloud_quota,
        linger=linger,
        programs=given.programs,
    )
    return options, given.json


if __name__ == "__main__":
    sys.exit(main())
