"""Files of hosts such as people have."""

from pathlib import Path
from typing import Any

from inference_endpoints_mcp.install.hosts import HOSTS, Host
from inference_endpoints_mcp.install.machine import Machine

FILES = Path(__file__).parent / "files"


def put(host: Host, machine: Machine, *, old: str = "\n", new: str = "\n", before: bytes = b"") -> Path:
    """A person's file of this host, with other line ends if they are given."""
    (source,) = FILES.glob(f"{host.id}.*")
    path = host.user_file(machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(before + source.read_bytes().replace(old.encode(), new.encode()))
    path.chmod(0o640)
    return path


def entry_in(file: Path) -> dict[str, Any]:
    """The entry in Cursor's file."""
    entry: dict[str, Any] = HOSTS["cursor"].format.get(file.read_text("utf-8"), HOSTS["cursor"].path)
    return entry


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the copies that are kept."""
    files = (path for path in folder.rglob("*") if path.is_file() and "backups" not in path.parts)
    return {str(path): path.read_bytes() for path in files}
