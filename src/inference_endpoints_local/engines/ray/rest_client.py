"""A client of Ray's REST API, at the dashboard's address of the head (Ray 2.60, docs.ray.io: "Serve REST API")."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.worker_proxy import WorkerFailed, exchange

DEFAULT_PORT = 8265
TIMEOUT_S = 10.0
START_TIMEOUT_S = 60.0
"""The first change of a cluster starts Serve."""
APPLICATIONS = "/api/serve/applications/"
NODES = "/api/v0/nodes?detail=1&limit=10000"
USAGE = "/api/cluster_status"


class ClusterFailed(Exception):
    """The cluster cannot be reached, or refuses. The message states what is true and what to do."""


def parse_address(url: str, token: str) -> WorkerAddress:
    """The address of the REST API. Raises ValueError with what is wrong."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError("it must be an address such as http://10.0.0.1:8265, without a path")
    if not (token.isascii() and token.isprintable()):
        raise ValueError("its token has characters that no token has")
    return WorkerAddress(parts.hostname, parts.port or DEFAULT_PORT, token)


class RayRestClient:
    """Ray's REST API with a token; an empty one for a cluster without. Raises ClusterFailed."""

    def __init__(self, address: WorkerAddress) -> None:
        self.address = address

    @property
    def place(self) -> str:
        return f"{self.address.host}:{self.address.port}"

    async def get(self, path: str) -> Any:
        return _parsed(await self._send(self.address, "GET", path))

    async def put(self, path: str, document: Any) -> None:
        await self._send(self.address, "PUT", path, json.dumps(document).encode(), START_TIMEOUT_S)

    async def answers_without_token(self) -> bool:
        """Whether it answers someone who has no token: then whoever reaches it can run code on it."""
        status, _ = await self._exchange(replace(self.address, secret=""), "GET", "/api/version", b"", TIMEOUT_S)
        return status < 400

    async def _send(
        self, address: WorkerAddress, method: str, path: str, body: bytes = b"", timeout_s: float = TIMEOUT_S
    ) -> bytes:
        status, content = await self._exchange(address, method, path, body, timeout_s)
        if status in (401, 403):
            raise ClusterFailed(f"the Ray cluster at {self.place} refuses the token: check --ray-token-file")
        if status != 200:
            raise ClusterFailed(f"the Ray cluster at {self.place} answers {method} with status {status}")
        return content

    async def _exchange(
        self, address: WorkerAddress, method: str, path: str, body: bytes, timeout_s: float
    ) -> tuple[int, bytes]:
        try:
            return await exchange(address, method, path, body, timeout_s)
        except WorkerFailed as error:
            raise ClusterFailed(f"the Ray cluster at {self.place} does not answer") from error


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise ClusterFailed("what answers at the address of the Ray cluster is not Ray's REST API") from error
