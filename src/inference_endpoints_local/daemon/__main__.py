"""Serve the plane of a data folder: `python -m inference_endpoints_local.daemon --data-dir D`.

It takes the folder's lock before the slow imports: of several daemons started at once, all but one end at once.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from inference_endpoints.garbage_collection import make_full_collections_rare
from inference_endpoints_local import loopback, own_version
from inference_endpoints_local.daemon.cluster.ray_options import RayOptions
from inference_endpoints_local.daemon.connect import StartOptions
from inference_endpoints_local.daemon.data_folder import DataFolder, RunningPlane
from inference_endpoints_local.daemon.plane_errors import (
    ClusterUnusable,
    DiskFull,
    PlaneError,
    PortInUse,
    StoreUnusable,
)

if TYPE_CHECKING:
    from inference_endpoints_local.daemon.plane import PlaneOptions

_DESCRIPTION = (
    "Serve the control plane of a data folder. It ends when it is stopped, or after --linger seconds without use."
)


@dataclass
class DaemonOptions:
    """How to serve a data folder. The namespace is the user's name unless one is given.

    The plane ends once it was unused for `linger` seconds; None: it stays until it is stopped. `programs` is a
    `module:function` that returns the program for a model, for development. `json`: print the address as JSON.
    `existing`: the folder must be there, since who starts us has prepared it, and may have deleted it since.
    """

    data_dir: Path
    port: int | None = None
    namespace: str | None = None
    simulated: bool = False
    simulated_speed: float = 1.0
    cloud_quota: int = StartOptions.cloud_quota
    payment_method: bool = True
    model_folders: list[str] = field(default_factory=list)
    linger: float | None = None
    programs: str | None = None
    engine: str = "process"
    ray_address: str = ""
    ray_token_file: str = ""
    ray_prices: str = ""
    ray_allow_open: bool = False
    ray_start: bool = False
    json: bool = False
    existing: bool = False

    @property
    def ray(self) -> RayOptions | None:
        if self.engine != "ray":
            return None
        return RayOptions(self.ray_address, self.ray_token_file, self.ray_prices, self.ray_allow_open, self.ray_start)


async def serve(options: DaemonOptions, ready: Callable[[RunningPlane], None]) -> int:
    """Serve until a signal or a caller stops it, or until it is unused. Calls `ready` once it can be reached.

    Returns the exit code. Raises a PlaneError if the folder or the port cannot be used.
    """
    folder = DataFolder(options.data_dir)
    if options.existing:
        folder.require()
    else:
        folder.prepare()
    with folder.hold():
        folder.withdraw()
        with _listen(options.port, folder.last_port) as listener:
            folder.last_port = listener.getsockname()[1]
            await _serve(options, folder, listener, ready)
    return 0


async def _serve(
    options: DaemonOptions, folder: DataFolder, listener: socket.socket, ready: Callable[[RunningPlane], None]
) -> None:
    from inference_endpoints_local.daemon.cluster.chosen_cluster import opened_cluster
    from inference_endpoints_local.daemon.plane import PlaneOptions

    chosen: dict[str, Any] = {
        "namespace": options.namespace,
        "programs": pkgutil.resolve_name(options.programs) if options.programs else None,
    }
    async with opened_cluster(options.ray, folder.path) as cluster:
        plane_options = PlaneOptions(
            data_dir=folder.path,
            token=folder.token(),
            simulated=options.simulated,
            simulated_speed=options.simulated_speed,
            cloud_quota=options.cloud_quota,
            payment_method=options.payment_method,
            model_folders=tuple(options.model_folders),
            cluster=cluster,
            **{name: value for name, value in chosen.items() if value is not None},
        )
        await _serve_plane(options, plane_options, folder, listener, ready)


async def _serve_plane(
    options: DaemonOptions,
    plane_options: "PlaneOptions",
    folder: DataFolder,
    listener: socket.socket,
    ready: Callable[[RunningPlane], None],
) -> None:
    from inference_endpoints_local.daemon.plane import Plane
    from inference_endpoints_local.daemon.plane_server import PlaneServer
    from inference_endpoints_local.engines.ray.ray_engine import ClusterRefused
    from inference_endpoints_local.state.store import StoreError, StoreFull

    try:
        plane = Plane(plane_options)
    except StoreFull as error:
        raise DiskFull(folder.path) from error
    except StoreError as error:
        raise StoreUnusable(str(error)) from error
    except ClusterRefused as error:
        raise ClusterUnusable(str(error)) from error
    make_full_collections_rare()
    plane.url = "http://127.0.0.1:{1}".format(*listener.getsockname())
    connection = RunningPlane(
        url=plane.url,
        token=plane_options.token,
        namespace=plane_options.namespace,
        version=own_version(),
        pid=os.getpid(),
        simulated=plane_options.simulated,
        model_folders=plane_options.model_folders,
        simulated_speed=plane_options.simulated_speed,
        cloud_quota=plane_options.cloud_quota,
        ray=options.ray,
    )
    try:
        await PlaneServer(plane, connection, folder, options.linger, ready).run(listener)
    except ClusterRefused as error:
        raise ClusterUnusable(f"The plane did not start: {error}.") from error


def run(options: DaemonOptions, ready: Callable[[RunningPlane], None]) -> NoReturn:
    """`serve` in a process of its own, and end the process. Raises a PlaneError if it cannot start."""

    async def serve_and_exit() -> NoReturn:
        code = await serve(options, ready)
        # A normal exit would wait for the thread that fetches weights, which cannot be interrupted.
        os._exit(code)

    asyncio.run(serve_and_exit())


def _listen(requested: int | None, last: int) -> socket.socket:
    """A socket at the requested port. Without one: at the last port if it is free, else at any."""
    for port in (last, 0) if requested is None else (requested,):
        try:
            return loopback.listen(port)
        except (OSError, OverflowError):
            continue
    raise PortInUse(requested or 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Ends the process, or returns the exit code if it cannot start."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def ready(plane: RunningPlane) -> None:
        token_file = DataFolder(options.data_dir).token_file
        facts = {"url": plane.url, "namespace": plane.namespace, "token_file": str(token_file), "pid": plane.pid}
        sentence = f"Control plane at {plane.url}, namespace {plane.namespace}, token in {token_file}."
        text = json.dumps(facts | {"simulated": plane.simulated}) if options.json else sentence
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    try:
        run(options, ready)
    except PlaneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _parse(arguments: Sequence[str] | None) -> DaemonOptions:
    parser = argparse.ArgumentParser(prog="python -m inference_endpoints_local.daemon", description=_DESCRIPTION)
    add = parser.add_argument
    add("--data-dir", type=Path, required=True)
    add("--port", type=int)
    add("--namespace", help="default: the name of the user")
    add("--simulated", action="store_true", help="offer simulated cloud hardware at public prices; no model runs on it")
    add("--simulated-speed", type=float)
    add("--cloud-quota", type=int, help="quota of simulated accelerators, by vendor and instance type")
    add("--no-payment-method", dest="payment_method", action="store_false", help="act as an account without one")
    add(
        "--model-folder",
        dest="model_folders",
        metavar="FOLDER",
        action="append",
        help="model files may be in this folder, and others given in this way; default: anywhere",
    )
    add("--programs", metavar="MODULE:FUNCTION", help="returns the program for a model, for development")
    add("--engine", choices=("process", "ray"), help="run replicas on this machine (default), or on a Ray cluster")
    add("--ray-address", help="REST API of the head, http://host:8265")
    add("--ray-token-file", help="file with the cluster's token")
    add("--ray-prices", help="TOML file with the names and prices of the cluster's hardware")
    add("--ray-allow-open", action="store_true", help="also use a cluster that answers without a token")
    add("--ray-start", action="store_true", help="start a cluster of one node, which ends with the plane")
    add("--linger", type=float, help="seconds without use after which it ends; default: never")
    add("--json", action="store_true", help="print the address as one line of JSON")
    add("--existing", action="store_true", help="end if the folder does not exist any more")
    return parser.parse_args(arguments, DaemonOptions(Path()))


if __name__ == "__main__":
    sys.exit(main())
