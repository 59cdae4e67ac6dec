"""The bodies of requests other than create and update, as they are validated and as `/openapi.json` describes them."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from inference_endpoints.models.settings.strict_object import StrictObject, accept_integral_float
from inference_endpoints.transport.operations import OPERATIONS
from inference_endpoints_local.state.faults import CALL_ENDPOINT, Fault
from inference_endpoints_local.wire.endpoint_body import Name
from inference_endpoints_local.wire.json_schema import JsonSchemaKeywords

_OPERATIONS = (*(operation.name for operation in OPERATIONS), CALL_ENDPOINT)


def _operation(name: str) -> str:
    if name not in _OPERATIONS:
        raise ValueError(f"not one of {', '.join(_OPERATIONS)}")
    return name


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _parse_time(text: Any) -> Any:
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("expected a time in the form of RFC 3339")
    return datetime.fromisoformat(text.upper())


Moment = Annotated[AwareDatetime, BeforeValidator(_parse_time)]


class MetricsBody(StrictObject):
    """The period to be shown, of one replica if it is named."""

    start: Moment
    stop: Moment
    replica_id: str | None = None


class RecipeConfigBody(StrictObject):
    name: Name | None = None


class DeployRecipeBody(StrictObject):
    """The namespace in which to deploy a recipe of the catalogue, and the endpoint's name."""

    namespace: str
    config: RecipeConfigBody | None = None


class DeployModelBody(DeployRecipeBody):
    """`accelerator` and `ggufFile` choose between the recipes of a model."""

    accelerator: str | None = None
    gguf_file: str | None = None


class CidrListBody(StrictObject):
    name: str
    cidr_list: list[str]
    id: str | None = None


class DomainBody(StrictObject):
    domain: str


class AdvanceClockBody(StrictObject):
    """Seconds by which to advance the simulation."""

    advance_s: Annotated[float, Field(ge=0, le=1e9, alias="advance_s")]


class SimulateLoadBody(StrictObject):
    """The number of requests in flight that a simulated endpoint appears to have."""

    name: str
    requests: Annotated[int, Field(ge=0, le=1_000_000), accept_integral_float]


class SetCapacityBody(StrictObject):
    """For how many replicas there is room on this simulated hardware; without `replicas` for any number."""

    hardware: str
    replicas: Annotated[int, Field(ge=0, le=1_000_000), accept_integral_float] | None = None


class ArmFaultBody(StrictObject):
    """Let the next `times` requests fail; only those of one operation, if it is named."""

    fault: Annotated[Fault, Field(strict=False)]
    operation: Annotated[str, AfterValidator(_operation), JsonSchemaKeywords({"enum": [*_OPERATIONS]})] | None = None
    times: Annotated[int, Field(ge=1), accept_integral_float] = 1
