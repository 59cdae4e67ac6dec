"""The command line of the benchmarks."""

import argparse
import json
import sys
from collections.abc import Callable

from tests.benchmarks import (
    first_token,
    get_endpoint,
    lifecycle,
    light_call,
    listing,
    memory,
    processor,
    ray_calls,
    ray_scale,
    startup,
    throughput,
    waiting,
)
from tests.benchmarks.measure import Report

BY_HAND = frozenset({"ray_calls", "ray_scale"})
"""Those that take minutes, and run only when they are named."""
BENCHMARKS: dict[str, Callable[..., Report]] = {
    "startup": startup.run,
    "get_endpoint": get_endpoint.run,
    "processor": processor.run,
    "light_call": light_call.run,
    "memory": memory.run,
    "lifecycle": lifecycle.run,
    "listing": listing.run,
    "throughput": throughput.run,
    "first_token": first_token.run,
    "waiting": waiting.run,
    "ray_calls": ray_calls.run,
    "ray_scale": ray_scale.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure, and compare in one run.")
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; default: all but {', '.join(BY_HAND)}"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each benchmark; default: its own")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    given = parser.parse_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    found = {}
    for name in given.names or [name for name in BENCHMARKS if name not in BY_HAND]:
        sys.stderr.write(f"{name} …\n")
        report = BENCHMARKS[name](**({"rounds": given.rounds} if given.rounds else {}))
        found[name] = [figure.facts() for figure in report.figures]
        if not given.json:
            print(report.markdown() + "\n", flush=True)
    if given.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
