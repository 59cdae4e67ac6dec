"""A replica as a deployment of Ray Serve: the only module that imports Ray. Nodes run it, the plane never does."""

from typing import Any

from ray import serve

from inference_endpoints_local.nodes.replica_app import ReplicaApp

_apps: list[ReplicaApp] = []
"""That of this process: Serve asks for the ASGI application once it has made the replica."""


def find_app() -> ReplicaApp:
    return _apps[0]


class ReplicaProgram:
    """Healthy as long as its process is: the plane sees to a worker that ended, and says why."""

    def __init__(self, name: str, call_sha256: str, control_sha256: str) -> None:
        _apps.append(ReplicaApp(name, call_sha256, control_sha256))


def build(arguments: dict[str, Any]) -> Any:
    """The application that `engines/ray/applications.py` names."""
    # Not as decorators: Ray copies a class whose name means something else, together with its module's variables.
    return serve.deployment(serve.ingress(find_app)(ReplicaProgram), name="Replica").bind(**arguments)
