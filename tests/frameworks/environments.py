"""The clients, and the environment of each: what is installed, at which versions.

`python -m tests.frameworks.environments` installs them below `.venv`, and nothing again that is there already.
`--lock` writes the lock files instead.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel

HERE = Path(__file__).parent
CLIENTS = HERE / "clients"
JOB_SUPPORT = HERE / "job_support"
ROOT = Path(sys.prefix, "frameworks")
LOCKED = {"requirements.txt", "package-lock.json"}
"""Every version of what an environment has: of Python packages, or of Node's."""
_PIN = re.compile(r"^([\w.-]+)(?:\[.*?\])?==(\S+)$", re.MULTILINE)


class Fault(BaseModel, extra="forbid"):
    """What a client itself does wrong, what this server does about it, and the client's own issue."""

    what: str
    here: str = ""
    issue: str = ""


class About(BaseModel, extra="forbid"):
    """What is known of a client: whether it brings an agent, whether a person can be asked through it, and after how
    many seconds it gives up a call by default (None: later than any call takes here).
    """

    title: str
    agent: bool = True
    asks: bool = False
    gives_up_after_s: int | None = None
    faults: list[Fault] = []


@dataclass(frozen=True)
class Environment:
    """The environment of the client in a folder of this name."""

    name: str

    @property
    def folder(self) -> Path:
        """Its pins and its job."""
        return CLIENTS / self.name

    @property
    def installed(self) -> Path:
        return ROOT / self.name

    @cached_property
    def about(self) -> About:
        return About.model_validate(tomllib.loads((self.folder / "about.toml").read_text("utf-8")))

    @property
    def uses_node(self) -> bool:
        return (self.folder / "package.json").exists()

    @property
    def python(self) -> Path:
        return self.installed / "bin" / "python"

    @property
    def converter(self) -> Path:
        """The program that converts the published tools as the client does for a model's provider."""
        return self.folder / "convert.py"

    @cached_property
    def packages(self) -> dict[str, str]:
        """The packages that were chosen, with their versions."""
        if self.uses_node:
            return dict(json.loads((self.folder / "package.json").read_text("utf-8"))["dependencies"])
        return dict(_PIN.findall((self.folder / "requirements.in").read_text("utf-8")))

    def job_command(self) -> list[str]:
        """Runs the client's job, which reads what it is given from stdin."""
        if self.uses_node:
            return [str(Path(sys.executable).with_name("node")), str(self.installed / "run.mjs")]
        return [str(self.python), str(self.folder / "run.py")]

    @property
    def _stamp(self) -> Path:
        """The lock file that was installed."""
        return self.installed / "locked"

    @property
    def is_installed(self) -> bool:
        return self._stamp.exists()

    def install(self) -> None:
        """Raises `CalledProcessError` if a package cannot be had."""
        lock = next(path for path in self.folder.iterdir() if path.name in LOCKED)
        stamp = self._stamp
        if self.uses_node:
            # Node looks for packages beside the program.
            self.installed.mkdir(parents=True, exist_ok=True)
            for program in (self.folder / "run.mjs", JOB_SUPPORT / "job.mjs"):
                shutil.copy(program, self.installed)
        if stamp.exists() and stamp.read_text("utf-8") == lock.read_text("utf-8"):
            return
        stamp.unlink(missing_ok=True)
        if self.uses_node:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(self.folder / name, self.installed)
            run("npm", "ci", "--prefix", str(self.installed), "--loglevel=error", "--no-fund", "--no-audit")
        else:
            run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(self.installed))
            run("uv", "pip", "install", "--quiet", "--python", str(self.python), "--requirement", str(lock))
        stamp.write_text(lock.read_text("utf-8"), "utf-8")

    def lock(self) -> None:
        """Choose the versions of everything that the chosen packages need."""
        if self.uses_node:
            # The lock names no registry: each machine has its own.
            only_lock = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--omit-lockfile-registry-resolved")
            run("npm", "install", "--prefix", str(self.folder), *only_lock)
            return
        options = ("--quiet", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--upgrade")
        source, lock = self.folder / "requirements.in", self.folder / "requirements.txt"
        run("uv", "pip", "compile", *options, str(source), "--output-file", str(lock))


def all_environments() -> list[Environment]:
    return [Environment(path.name) for path in sorted(CLIENTS.iterdir()) if path.is_dir()]


def all_clients() -> list[Environment]:
    """Those that are driven. The others only convert tools for a provider."""
    return [environment for environment in all_environments() if (environment.folder / "about.toml").exists()]


def all_converters() -> list[Environment]:
    return [environment for environment in all_environments() if environment.converter.exists()]


def run(*command: str) -> None:
    """Run a command with the tools of this environment first: Node and uv come from Python packages."""
    own = Path(sys.executable).parent
    subprocess.run(command, check=True, env=os.environ | {"PATH": f"{own}{os.pathsep}{os.environ['PATH']}"})


def main(arguments: list[str]) -> None:
    for environment in all_environments():
        print(f"{environment.name}: {environment.packages}", flush=True)
        if "--lock" in arguments:
            environment.lock()
            continue
        try:
            environment.install()
        except subprocess.CalledProcessError as error:
            print(f"{environment.name} cannot be installed, and is skipped: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
