"""Which Ray cluster runs the replicas, as who starts a plane chooses it."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class RayOptions:
    """A Ray cluster by the address of its REST API and a file with its token, or one to `start` with the plane.

    `prices` is a file of the operator's names and prices. `allow_open`: also a cluster that answers without a token.
    """

    address: str = ""
    token_file: str = ""
    prices: str = ""
    allow_open: bool = False
    start: bool = False

    def flags(self) -> Iterator[str]:
        """As arguments of the daemon."""
        yield "--engine=ray"
        for name in ("address", "token_file", "prices"):
            if value := getattr(self, name):
                yield f"--ray-{name.replace('_', '-')}={value}"
        for name in ("allow_open", "start"):
            if getattr(self, name):
                yield f"--ray-{name.replace('_', '-')}"
