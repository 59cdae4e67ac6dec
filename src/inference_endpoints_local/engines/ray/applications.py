"""Serve's applications: what the cluster has, and the whole body that replaces it. Pure.

Each replica is an application of its own, so that the plane can reach, watch and end every one of them: Ray's REST API
knows no single replica. Ray places it, and starts it again where its node or its process is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from inference_endpoints_local.engines.ray.resources import NOTHING, Resources

DEFAULT_PORT = 8000
IMPORT_PATH = "inference_endpoints_local.nodes.ray_replica:build"
DEPLOYMENT = "Replica"
_LEAVING = "DELETING"
# Ray's defaults keep an ended replica for 20 s, and let one replica serve 5 requests at a time. The plane waits for its
# requests before it ends one, and the worker has a queue of its own.
_DEPLOYMENT_SETTINGS = {
    "graceful_shutdown_wait_loop_s": 0.2,
    "graceful_shutdown_timeout_s": 2.0,
    "health_check_period_s": 2.0,
    "health_check_timeout_s": 10.0,
    "max_ongoing_requests": 1_000,
}


@dataclass(frozen=True)
class RayApplication:
    """One replica as an application: what it takes, and what recognizes its callers."""

    name: str
    resources: Resources
    secret_hashes: Mapping[str, str]

    def config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "route_prefix": f"/{self.name}",
            "import_path": IMPORT_PATH,
            "args": {"name": self.name, **self.secret_hashes},
            "deployments": [
                {"name": DEPLOYMENT, "ray_actor_options": self.resources.options(), **_DEPLOYMENT_SETTINGS}
            ],
        }


@dataclass(frozen=True)
class ApplicationState:
    """An application as Ray describes it. `node` is the id of the node where it is placed, `node_ip` its address."""

    name: str
    status: str
    message: str = ""
    resources: Resources = NOTHING
    node: str | None = None
    node_ip: str = ""

    @property
    def leaving(self) -> bool:
        return self.status == _LEAVING


@dataclass(frozen=True)
class ServeState:
    """What Serve runs. `controller` changes with each start of Serve; empty: it does not run.

    `others` are the configurations of applications that are not ours, and `options` those of Serve itself: both are
    part of every change, which would end or reset them otherwise.
    """

    controller: str
    port: int
    ours: Mapping[str, ApplicationState]
    others: tuple[dict[str, Any], ...]
    options: Mapping[str, Any]

    @cached_property
    def present(self) -> set[str]:
        """Ours that are there to stay."""
        return {name for name, state in self.ours.items() if not state.leaving}

    def body(self, wanted: Iterable[RayApplication]) -> dict[str, Any]:
        """The body of the change to exactly these applications of ours."""
        return {**self.options, "applications": [*self.others, *(each.config() for each in wanted)]}


def read_serve(document: Mapping[str, Any], prefix: str, port: int) -> ServeState:
    """From the answer of `GET /api/serve/applications/`. Ours have names with `prefix`; `port` is for a new Serve."""
    applications = document.get("applications") or {}
    controller = (document.get("controller_info") or {}).get("actor_id") or ""
    options: dict[str, Any] = {"proxy_location": "HeadOnly", "http_options": {"host": "0.0.0.0", "port": port}}  # noqa: S104
    if controller and (found := document.get("http_options")):
        options = {
            "proxy_location": document.get("proxy_location") or "EveryNode",
            "http_options": {name: value for name, value in found.items() if value is not None},
        }
        if document.get("target_capacity") is not None:
            options["target_capacity"] = document["target_capacity"]
    return ServeState(
        controller=controller,
        port=int(options["http_options"].get("port", port)),
        ours={name: _state(name, facts) for name, facts in applications.items() if name.startswith(prefix)},
        others=tuple(
            facts["deployed_app_config"]
            for name, facts in applications.items()
            if not name.startswith(prefix)
            and facts.get("source") == "declarative"
            and facts.get("deployed_app_config")
            and facts.get("status") != _LEAVING
        ),
        options=options,
    )


def _state(name: str, facts: Mapping[str, Any]) -> ApplicationState:
    deployment = (facts.get("deployments") or {}).get(DEPLOYMENT) or {}
    replicas = (replica for replica in deployment.get("replicas") or () if replica.get("state") != "STOPPING")
    placed: Mapping[str, Any] = next((replica for replica in replicas if replica.get("node_id")), {})
    return ApplicationState(
        name=name,
        status=facts.get("status") or "",
        # That of the deployment has the cause; Ray repeats only its name for the application.
        message=deployment.get("message") or facts.get("message") or "",
        resources=Resources.read(deployment.get("required_resources") or {}),
        node=placed.get("node_id"),
        node_ip=placed.get("node_ip") or "",
    )
