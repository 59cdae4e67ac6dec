"""`control-plane` and `control-plane stop`: the embedded control plane by itself, for any client of the REST API."""

import asyncio
import os
import sys

from inference_endpoints_local.daemon.connect import PlaneError
from inference_endpoints_local.daemon.connect import stop as stop_plane
from inference_endpoints_mcp.cli.settings import ControlPlaneSettings, FolderSettings


def run(settings: ControlPlaneSettings) -> int:
    """Become the control plane, in the foreground: this process is replaced by it."""
    words = ["--data-dir", str(settings.folder), "--foreground"]
    words += ["--namespace", settings.namespace] if settings.namespace else []
    words += ["--simulated-speed", str(settings.simulated_speed)]
    words += ["--simulated"] if settings.simulated else []
    words += ["--json"] if settings.json_ else []
    words += ["--port", str(settings.port)] if settings.port is not None else []
    words += ["--linger", str(settings.linger)] if settings.linger is not None else []
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "inference_endpoints_local.daemon", *words])  # noqa: S606


def stop(settings: FolderSettings) -> int:
    """End the control plane that runs on the data folder. Its endpoints come back when it starts again."""
    try:
        stopped = asyncio.run(stop_plane(settings.folder))
    except PlaneError as error:
        print(error, file=sys.stderr)
        return 1
    print("The control plane has stopped." if stopped else "No control plane runs on this data folder.")
    return 0
