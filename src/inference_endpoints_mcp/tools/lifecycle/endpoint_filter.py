"""The filter that lists and changes of several endpoints share: `state=failed name=ci-* idle>7d`."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import get_args

from inference_endpoints.deploy.costs import idle_time
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint
from inference_endpoints_mcp.tools.arguments import State

_CONDITION = re.compile(r"(?P<key>[a-z]+)=(?P<values>[\w.*?@:/,+-]+)", re.ASCII)
"""Values are plain, so that a person can type the filter, and it can say nothing else."""
_IDLE = re.compile(r"idle(?:>=|>|=)(?P<number>[0-9]{1,5})(?P<unit>[mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_VALUES: Mapping[str, Callable[[Endpoint], Iterable[str | None]]] = {
    "name": lambda endpoint: [endpoint.name],
    "model": lambda endpoint: [endpoint.model.repository],
    "state": lambda endpoint: [endpoint.state.value],
    "tag": lambda endpoint: endpoint.tags or (),
    "type": lambda endpoint: [endpoint.type.value],
    "task": lambda endpoint: [endpoint.model.task],
    "hardware": lambda endpoint: endpoint.hardware_ids,
}
_STATES = {state.lower(): state for state in get_args(get_args(State)[0]) if state != "any"}
_SERVICE_FILTERS = {"state": "states", "type": "types", "task": "tasks"}
_SERVICE_STATES = frozenset({"updating", "running", "paused", "failed", "scaledToZero"})
"""The states by which the service can filter (its OpenAPI document 2.0.0)."""
_EXAMPLE = "All conditions must hold, e.g. state=paused,failed name=ci-* tag=eval idle>7d."


@dataclass(frozen=True)
class EndpointFilter:
    """Conditions that must all hold. Of a condition's values, which may have `*`, one must; `idle` is the shortest time
    since the last call or change."""

    conditions: Mapping[str, frozenset[str]]
    idle: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> "EndpointFilter":
        """Raises `BadRequest` for what is no filter: a wrong one must not match everything, or nothing."""
        conditions: dict[str, frozenset[str]] = {}
        idle: timedelta | None = None
        for word in text.split():
            known = _CONDITION.fullmatch(word)
            if duration := _IDLE.fullmatch(word):
                idle = max(idle or timedelta(0), int(duration["number"]) * _UNITS[duration["unit"]])
            elif known and known["key"] in _VALUES and known["key"] not in conditions:
                conditions[known["key"]] = _checked(known["key"], known["values"])
            else:
                keys = ", ".join(f"{key}=" for key in _VALUES)
                raise BadRequest(
                    f"A condition of the filter is not valid: nothing was done. Each is one of {keys}, idle>, once.",
                    hint=_EXAMPLE,
                )
        return cls(conditions, idle)

    @property
    def query(self) -> dict[str, Sequence[str]]:
        """The conditions that the service can check itself, as arguments of the client's `list`. It has no patterns."""
        query: dict[str, Sequence[str]] = {}
        for key, argument in _SERVICE_FILTERS.items():
            wanted = sorted(_STATES.get(value, value) for value in self.conditions.get(key, ()))
            known = key != "state" or _SERVICE_STATES.issuperset(wanted)
            if wanted and known and not any(set(value) & {"*", "?"} for value in wanted):
                query[argument] = wanted
        return query

    def matches(self, endpoint: Endpoint, at: datetime) -> bool:
        """Whether an endpoint meets all conditions at a moment. Of unknown age, it was not idle."""
        since = idle_time(endpoint, at)
        if self.idle is not None and (since is None or since < self.idle):
            return False
        return all(
            any(fnmatchcase((value or "").lower(), one) for value in _VALUES[key](endpoint) for one in wanted)
            for key, wanted in self.conditions.items()
        )


def _checked(key: str, values: str) -> frozenset[str]:
    wanted = frozenset(value.lower() for value in values.split(",") if value)
    if not wanted or (key == "state" and not wanted <= _STATES.keys()):
        allowed = f" States: {', '.join(_STATES.values())}." if key == "state" else ""
        raise BadRequest(f"The filter has no such {key}: nothing was done.{allowed}", hint=_EXAMPLE)
    return wanted
