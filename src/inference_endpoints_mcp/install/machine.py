"""Where programs of this machine keep their settings."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

System = Literal["linux", "macos", "windows"]


@dataclass(frozen=True)
class Machine:
    """What decides where a file is: the operating system, the user, variables, and the folder of the project."""

    system: System
    home: Path
    variables: Mapping[str, str]
    project: Path

    @classmethod
    def here(cls) -> "Machine":
        system: System = "macos" if sys.platform == "darwin" else "windows" if sys.platform == "win32" else "linux"
        return cls(system, Path.home(), os.environ, Path.cwd())

    @property
    def application_folder(self) -> Path:
        """The folder in which desktop programs keep their settings on each system."""
        if self.system == "macos":
            return self.home / "Library" / "Application Support"
        if self.system == "windows":
            return self.folder_of("APPDATA", self.home / "AppData" / "Roaming")
        return self.xdg_folder

    @property
    def xdg_folder(self) -> Path:
        """The folder of the XDG specification, which many programs use on macOS as well."""
        return self.folder_of("XDG_CONFIG_HOME", self.home / ".config")

    def folder_of(self, variable: str, default: Path) -> Path:
        value = self.variables.get(variable)
        return Path(value) if value else default
