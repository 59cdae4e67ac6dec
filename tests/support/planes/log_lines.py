"""Puts lines into the log of an endpoint, as a replica that ran before would have left them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.planes.plane_driver import Driver

REPLICA = "aaaaaaaa-bbbbb"


def write_log(
    driver: Driver, lines: list[tuple[float, str | None, str]], *, replica: str = REPLICA, name: str = "chat"
) -> datetime:
    """Each line is how many minutes ago it was printed, its level and its text. Returns the moment that is now."""
    folder: Path = driver.plane.options.data_dir / "logs" / driver.endpoint(name).record.id
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    with (folder / f"{replica}.jsonl").open("w") as file:
        for minutes, level, line in lines:
            moment = (now - timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            fields = {"timestamp": moment, "line": line, "stream": "stderr", "replica_id": replica}
            file.write(json.dumps(fields | {"level": level}, ensure_ascii=False) + "\n")
    return now
