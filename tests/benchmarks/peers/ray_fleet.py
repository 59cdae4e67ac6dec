"""Stands in for a Ray cluster of any size, as a process of its own: its replicas report that they are ready, and run
nothing. `/count` says how many requests it had, `/unready/NAME` makes one report that it starts again."""

import json
import sys
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from inference_endpoints_local import loopback

CPUS_PER_NODE = 128.0


class RayFleet:
    def __init__(self, cpus: int) -> None:
        self._nodes = [f"n{number}" for number in range(-(-cpus // int(CPUS_PER_NODE)))]
        self._applications: dict[str, dict[str, Any]] = {}
        self._unready: set[str] = set()
        self._requests = 0
        self._port = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/count":
            response: Response = JSONResponse({"requests": self._requests, "applications": len(self._applications)})
        elif path.startswith("/unready/"):
            self._unready = {path.removeprefix("/unready/")}
            response = Response()
        else:
            self._requests += 1
            response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path.endswith("/.replica/report"):
            ready = path.split("/")[1] not in self._unready
            stage = {"stage": "running", "ready_s": 1.0} if ready else {"stage": "initializing", "message": "again"}
            return JSONResponse({"process": "p", "has_order": True, **stage})
        if request.method == "PUT":
            configs = (await request.json())["applications"]
            known = self._applications
            self._applications = {each["name"]: known.get(each["name"]) or self._placed(each) for each in configs}
            return Response()
        if request.headers.get("authorization") is None:
            return Response(status_code=401)
        listed = [
            {"node_id": node, "state": "ALIVE", "resources_total": {"CPU": CPUS_PER_NODE}} for node in self._nodes
        ]
        return JSONResponse(
            {
                "/api/serve/applications/": {
                    "controller_info": {"actor_id": "c"},
                    "http_options": {"host": loopback.HOST, "port": self._port},
                    "applications": self._applications,
                },
                "/api/v0/nodes": {"data": {"result": {"result": listed}}},
                "/api/cluster_status": {"data": {"clusterStatus": {}}},
            }[path]
        )

    def _placed(self, config: dict[str, Any]) -> dict[str, Any]:
        node = self._nodes[len(self._applications) % len(self._nodes)]
        replica = {"state": "RUNNING", "node_id": node, "node_ip": "10.0.0.1", "replica_id": "r", "actor_id": "a" * 32}
        deployment = {"message": "", "required_resources": {"CPU": 1.0}, "replicas": [replica], "status": "HEALTHY"}
        return {
            "status": "RUNNING",
            "message": "",
            "source": "declarative",
            "deployed_app_config": config,
            "deployments": {"Replica": deployment | {"deployment_config": config["deployments"][0]}},
        }

    def serve(self) -> None:
        """Until the process ends. Prints its port."""
        config = uvicorn.Config(self, log_config=None, lifespan="off", access_log=False, backlog=8_192)
        with loopback.listen(backlog=8_192) as listener:
            self._port = listener.getsockname()[1]
            sys.stdout.write(json.dumps({"port": self._port}) + "\n")
            sys.stdout.flush()
            uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    RayFleet(int(sys.argv[1])).serve()
