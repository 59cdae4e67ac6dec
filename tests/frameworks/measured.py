"""What was measured of each client. `python -m tests.frameworks.measured` writes it to `measured.json`.

The tests leave their facts in the environments of the clients; `manifests/CLIENTS.md` is generated from the file.
With `MEASURE` in the environment, the facts may differ from those in the file.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.frameworks.environments import Environment, all_clients

FILE = Path(__file__).parent / "measured.json"

STABLE = ("client", "protocol", "wants_progress", "can_ask", "copies", "metadata", "asked")
"""The facts that do not depend on how busy the machine is."""

Facts = dict[str, Any]


def record(environment: Environment, transport: str, test: str, facts: Facts) -> None:
    """Keep what one test measured. Raises `AssertionError` if the published page says something else."""
    folder = environment.installed / "measured"
    folder.mkdir(exist_ok=True)
    (folder / f"{transport}.{test}.json").write_text(json.dumps(facts), "utf-8")
    if "MEASURE" not in os.environ:
        known = read()[environment.name][transport]
        changed = {name: facts[name] for name in STABLE if name in facts and facts[name] != known.get(name)}
        assert not changed, f"{changed}: run `make clients-table`"


def read() -> dict[str, Facts]:
    """By the client's name: its packages, and the facts by transport."""
    measured: dict[str, Facts] = json.loads(FILE.read_text("utf-8"))
    return measured


def outdated() -> list[str]:
    """The clients that were not measured at the version that is chosen now."""
    measured = read()
    chosen = {environment.name: environment.packages for environment in all_clients()}
    return [name for name in {**chosen, **measured} if measured.get(name, {}).get("packages") != chosen.get(name)]


def main() -> int:
    measured: dict[str, Facts] = {}
    for environment in all_clients():
        facts: Facts = {"packages": environment.packages}
        for path in sorted((environment.installed / "measured").glob("*.json")):
            transport = path.name.partition(".")[0]
            facts.setdefault(transport, {}).update(json.loads(path.read_text("utf-8")))
        measured[environment.name] = facts
    FILE.write_text(json.dumps(measured, indent=2, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
