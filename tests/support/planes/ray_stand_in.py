"""Stands in for a Ray cluster: the part of its REST API that the plane uses, with the forms that Ray 2.60.0 was seen to
answer, and Serve's port. Its replicas are our real program for nodes, with the tiny worker."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from tests.support.planes.plane_driver import tiny_programs
from tests.support.polling import eventually

from inference_endpoints_local import loopback
from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.programs import ProgramResolver
from inference_endpoints_local.nodes.replica_app import LEASE_S, ReplicaApp

TOKEN = "ray-token"
_ids = itertools.count()


@dataclass
class Placed:
    """An application. `node` is None while no node has room."""

    config: dict[str, Any]
    status: str = "DEPLOYING"
    message: str = ""
    node: str | None = None
    app: ReplicaApp | None = None
    source: str = "declarative"

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.config["deployments"][0]["ray_actor_options"])

    @property
    def amounts(self) -> dict[str, float]:
        """As Ray names what it takes."""
        options = self.options
        kind = {f"accelerator_type:{options['accelerator_type']}": 0.001} if "accelerator_type" in options else {}
        gpus = {"GPU": float(options["num_gpus"])} if "num_gpus" in options else {}
        return {"CPU": float(options["num_cpus"])} | gpus | kind


@dataclass
class RayStandIn:
    """A cluster. Tests change it as people and accidents do: nodes come and go, others deploy, it is cut off."""

    nodes: dict[str, float] = field(default_factory=lambda: {"n1": 2.0})
    accelerators: dict[str, tuple[str, float]] = field(default_factory=dict)
    programs: ProgramResolver | None = tiny_programs
    applications: dict[str, Placed] = field(default_factory=dict)
    token: str = TOKEN
    answers: bool = True
    fails_with: str = ""
    lease_s: float = LEASE_S
    controller: str = "controller-1"
    puts: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> WorkerAddress:
        return WorkerAddress("127.0.0.1", self.port, self.token)

    @property
    def ours(self) -> dict[str, Placed]:
        return {name: placed for name, placed in self.applications.items() if name.startswith("ie-")}

    def deploy_other(self, name: str = "team-app") -> None:
        """Somebody else's application."""
        config = {"name": name, "import_path": "theirs:app", "deployments": []}
        self.applications[name] = Placed(config, status="RUNNING")

    async def restart_replicas(self) -> None:
        """Every replica is another process now, as after the loss of a node."""
        for placed in self.ours.values():
            assert placed.app is not None
            await placed.app.aclose()
            placed.app = self._new_app(placed.config)

    async def restart(self) -> None:
        """The head was lost, and is another one now."""
        await self.apply([])
        self.applications.clear()
        self.controller = f"controller-{next(_ids)}"

    async def apply(self, configs: list[dict[str, Any]]) -> None:
        wanted = {config["name"]: config for config in configs}
        for name in [name for name in self.applications if name not in wanted]:
            gone = self.applications.pop(name)
            if gone.app is not None:
                await gone.app.aclose()
        for name, config in wanted.items():
            self.applications.setdefault(name, Placed(config))

    def place(self) -> None:
        for name, placed in self.ours.items():
            if self.fails_with:
                placed.status, placed.message = "DEPLOY_FAILED", self.fails_with
            elif placed.node is None and (node := self._free_node(placed.amounts)):
                placed.node, placed.app, placed.status = node, self._new_app(placed.config), "RUNNING"
                assert placed.config["route_prefix"] == f"/{name}"

    def _free_node(self, amounts: dict[str, float]) -> str | None:
        def fits(node: str) -> bool:
            has = self._has(node)
            return all(has.get(name, 0.0) - self._used(node, name) >= amount for name, amount in amounts.items())

        return next(filter(fits, self.nodes), None)

    def _has(self, node: str) -> dict[str, float]:
        kind, count = self.accelerators.get(node, ("", 0.0))
        return {"CPU": self.nodes[node]} | ({"GPU": count, f"accelerator_type:{kind}": 1.0} if count else {})

    def _used(self, node: str, name: str) -> float:
        return sum(placed.amounts.get(name, 0.0) for placed in self.ours.values() if placed.node == node)

    def _new_app(self, config: dict[str, Any]) -> ReplicaApp:
        assert config["import_path"] == "inference_endpoints_local.nodes.ray_replica:build"
        return ReplicaApp(**config["args"], programs=self.programs, lease_s=self.lease_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        name = scope["path"].split("/")[1]
        if not self.answers:
            response: Response = Response("cut off", 504)
        elif name in self.applications:
            app = self.applications[name].app
            if app is not None:
                await app({**scope, "root_path": f"/{name}"}, receive, send)
                return
            response = Response("Path not found", 404)
        elif self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            response = Response("Unauthorized: Missing authentication token", 401)
        else:
            response = await self._api(request)
        await response(scope, receive, send)

    async def _api(self, request: Request) -> Response:
        if request.method == "PUT":
            body = await request.json()
            self.puts.append(body)
            await self.apply(body["applications"])
            return Response()
        self.place()
        documents: dict[str, Any] = {
            "/api/version": {"ray_version": "2.60.0"},
            "/api/serve/applications/": self._serve_document(),
            "/api/v0/nodes": {"result": True, "data": {"result": {"result": self._nodes()}}},
            "/api/cluster_status": {"data": {"clusterStatus": {"loadMetricsReport": {"usageByNode": self._usage()}}}},
        }
        return JSONResponse(documents[request.url.path])

    def _serve_document(self) -> dict[str, Any]:
        return {
            "controller_info": {"actor_id": self.controller},
            "proxy_location": "HeadOnly",
            "http_options": {"host": "127.0.0.1", "port": self.port, "root_path": "", "ssl_keyfile": None},
            "applications": {name: self._application(placed) for name, placed in self.applications.items()},
            "target_capacity": None,
        }

    def _application(self, placed: Placed) -> dict[str, Any]:
        replica: dict[str, Any] = {"state": "STARTING", "replica_id": "r"}
        if placed.node:
            replica |= {"state": "RUNNING", "node_id": placed.node, "node_ip": "10.0.0.1"}
        deployment = {"message": "", "required_resources": {}, "replicas": [replica]}
        if placed.config["deployments"]:
            deployment["required_resources"] = placed.amounts
        return {
            "status": placed.status,
            "message": placed.message,
            "source": placed.source,
            "deployed_app_config": placed.config,
            "deployments": {"Replica": deployment},
        }

    def _nodes(self) -> list[dict[str, Any]]:
        memory = {"memory": 8e9}
        return [
            {"node_id": node, "node_ip": "10.0.0.1", "state": "ALIVE", "resources_total": self._has(node) | memory}
            for node in self.nodes
        ] + [{"node_id": "lost", "state": "DEAD", "resources_total": {}}]

    def _usage(self) -> dict[str, Any]:
        return {
            node: {name: [self._used(node, name), amount] for name, amount in self._has(node).items()}
            for node in self.nodes
        }


@asynccontextmanager
async def standing_in(**facts: Any) -> AsyncIterator[RayStandIn]:
    """A cluster at a free port, until the end of the block."""
    cluster = RayStandIn(**facts)
    config = uvicorn.Config(cluster, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    with loopback.listen() as listener:
        cluster.port = listener.getsockname()[1]
        await server.startup(sockets=[listener])
        try:
            yield cluster
        finally:
            await cluster.apply([])
            for accepting in server.servers:
                accepting.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()
            # One in the middle of a request closes after it.
            await eventually(lambda: not server.server_state.connections and not server.server_state.tasks)
