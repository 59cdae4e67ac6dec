"""Starts a plane in the background, in a process of its own, and says why one did not start."""

import subprocess
import sys
import threading

from inference_endpoints_local.daemon.data_folder import DataFolder
from inference_endpoints_local.daemon.plane_errors import (
    ClusterUnusable,
    DiskFull,
    FolderInUse,
    FolderUnusable,
    NotReachable,
    PlaneError,
    PortInUse,
    StoreUnusable,
)
from inference_endpoints_local.daemon.start_options import StartOptions

# Windows only.
_DETACHED: int = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class Launcher:
    """Starts a plane in the background. Of several started at once, the folder's lock selects one."""

    def __init__(self, folder: DataFolder, options: StartOptions) -> None:
        self.options = options
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def ensure_started(self) -> None:
        """Start a plane unless one is starting. Raises a PlaneError that states why ours could not start."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            if code not in (0, FolderInUse.exit_code):
                raise self._start_error(code)
        if not self._folder.is_locked():
            self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = self.options
        # -P: modules in the working folder are not imported.
        command = [
            sys.executable,
            "-P",
            "-m",
            "inference_endpoints_local.daemon",
            f"--data-dir={self._folder.path}",
            "--existing",
        ]
        command += [f"--linger={options.linger}"]
        command += [f"--model-folder={folder}" for folder in options.model_folders]
        command += [f"--namespace={options.namespace}"] if options.namespace else []
        if options.simulated:
            command += ["--simulated", f"--simulated-speed={options.simulated_speed}"]
            command += [f"--cloud-quota={options.cloud_quota}"]
        command += [f"--port={options.port}"] if options.port else []
        command += options.ray.flags() if options.ray else []
        try:
            with self._folder.open_log() as log:
                process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder.path,
                    start_new_session=True,  # hosts kill the whole process group of a server
                    creationflags=_DETACHED,
                )
        except OSError as error:
            raise NotReachable(f"The control plane could not be started: {error.strerror}.") from error
        # Reaped as soon as it ends, so that it does not stay a zombie of a long-lived server.
        threading.Thread(target=process.wait, daemon=True).start()
        return process

    def _start_error(self, code: int) -> PlaneError:
        """The error for a daemon's exit code. Its own message may quote others' text and stays in the log."""
        path, log = self._folder.path, self._folder.log
        if code == PortInUse.exit_code and self.options.port:
            return PortInUse(self.options.port)
        if code == DiskFull.exit_code:
            return DiskFull(path)
        if code == FolderUnusable.exit_code:
            return FolderUnusable(path, f"see the last line of {log}")
        if code == ClusterUnusable.exit_code:
            return ClusterUnusable(f"The Ray cluster cannot be used. The end of {log} states why and what to do.")
        if code == StoreUnusable.exit_code:
            return StoreUnusable(f"The endpoints kept in {path} cannot be read. The end of {log} states what to do.")
        how = f"was ended by signal {-code}" if code < 0 else "failed with an unexpected error"
        return NotReachable(f"The control plane {how} while it started. The end of {log} shows what happened.")


def not_reachable(folder: DataFolder) -> NotReachable:
    """The error for a plane that did not start, or does not answer."""
    plane = folder.running_plane()
    if plane is not None:
        return NotReachable(
            f"The control plane of this data folder (process {plane.pid}) does not answer. "
            f"End that process, then try again. Its log is {folder.log}."
        )
    return NotReachable(
        f"The control plane of this data folder did not start in time. The machine may be busy: try again. "
        f"Its log is {folder.log}."
    )
