"""The endpoint document, in every form that the control plane has returned since 2023."""

from datetime import datetime
from typing import Any

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw
from inference_endpoints.models.settings.image import Image
from inference_endpoints.models.status import InferenceEndpointStatus, InferenceEndpointType


class Provider(ApiModel):
    vendor: str = ""
    region: str = ""


DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN = 15
"""The service's default where `min_replica` is 0."""
MIN_SCALE_TO_ZERO_TIMEOUT_MIN, MAX_SCALE_TO_ZERO_TIMEOUT_MIN = 15, 2_880
"""The service refuses others (seen in October 2026)."""


class Scaling(ApiModel):
    """Replica bounds. `scale_to_zero_timeout` is in minutes and needs `min_replica` 0."""

    min_replica: int = 0
    max_replica: int = 1
    scale_to_zero_timeout: int | None = None
    measure: dict[str, Any] | None = None

    @property
    def most_replicas(self) -> int:
        """The replicas it may come to have: one that wakes or is resumed starts at least one."""
        return max(1, self.min_replica, self.max_replica)


class Compute(ApiModel):
    """What the endpoint runs on. `id` is `{vendor}-{region}-{instance type}-{instance size}`."""

    id: str | None = None
    accelerator: str = ""
    instance_type: str = ""
    instance_size: str = ""
    scaling: Scaling = Field(default_factory=Scaling)


class ModelSettings(ApiModel):
    """The model and its container. `env` and `secrets` map names to values; secrets come back masked."""

    repository: str = ""
    framework: str | None = None
    revision: str | None = None
    task: str | None = None
    image: Image | None = None
    env: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Any] = Field(default_factory=dict)
    args: list[str] | None = None
    command: list[str] | None = None

    @property
    def image_key(self) -> str:
        """The key of the image, which names its engine; empty if the image is unknown."""
        return self.image.engine if self.image else ""


class Person(ApiModel):
    id: str | None = None
    name: str | None = None


class Status(ApiModel):
    """The status of an endpoint. `message` and `error_message` may quote the container: strangers' text.

    `agent_message` is a diagnosis by the service's debugger. `last_used_at` is the time of the last call or of the last
    change to running, whichever is later; None if it never ran. `inference_metrics_enabled`: its engine publishes
    metrics of its own. Source: the service's OpenAPI document 2.0.0.
    """

    state: InferenceEndpointStatus
    message: str | None = None
    error_message: str | None = None
    url: str | None = None
    ready_replica: int = 0
    target_replica: int = 0
    created_at: datetime | None = None
    created_by: Person | None = None
    updated_at: datetime | None = None
    updated_by: Person | None = None
    last_used_at: datetime | None = None
    agent_message: str | None = None
    inference_metrics_enabled: bool = False
    engine: str | None = Field(default=None, description="Set by the embedded control plane: process or simulated.")

    def is_older_than(self, moment: datetime | None) -> bool:
        """Whether it was changed last before this moment. False where either time is unknown."""
        return moment is not None and self.updated_at is not None and self.updated_at < moment


def format_hardware_id(vendor: str, region: str, instance_type: str, instance_size: str) -> str:
    """Hardware as one string, as the service forms it: `aws-us-east-1-nvidia-l4-x1`."""
    return "-".join(part for part in (vendor, region, instance_type, instance_size) if part)


class EndpointConfiguration(ApiModel):
    """What an endpoint is configured to be."""

    name: str = ""
    type: InferenceEndpointType = InferenceEndpointType.PRIVATE
    provider: Provider = Field(default_factory=Provider)
    compute: Compute = Field(default_factory=Compute)
    model: ModelSettings = Field(default_factory=ModelSettings)

    @property
    def hardware_id(self) -> str:
        """The hardware as one string, `aws-us-east-1-nvidia-l4-x1`."""
        return self.compute.id or self._composed_hardware_id

    @property
    def hardware_ids(self) -> frozenset[str]:
        """Every name of the hardware in the document: two where `compute.id` contradicts the other settings."""
        return frozenset(name for name in (self.compute.id, self._composed_hardware_id) if name)

    @property
    def _composed_hardware_id(self) -> str:
        where, what = self.provider, self.compute
        return format_hardware_id(where.vendor, where.region, what.instance_type, what.instance_size)


class Endpoint(EndpointConfiguration, ApiModelWithRaw):
    """An endpoint with its status. `raw` is the whole answer of the API.

    >>> client = EndpointsClient()
    >>> endpoint = client.get("chat")
    >>> endpoint.compute.scaling.max_replica, endpoint.status.ready_replica
    (1, 1)
    """

    name: str
    status: Status
    health_route: str | None = None
    tags: list[str] | None = None

    @property
    def state(self) -> InferenceEndpointStatus:
        """`status.state`."""
        return self.status.state

    @property
    def url(self) -> str | None:
        """The address of the endpoint; None until the control plane has given it one."""
        return self.status.url or None

    @property
    def identity(self) -> str:
        """The creation time in full digits, which differs from that of a later endpoint of the same name.

        The control plane gives an endpoint no id of its own.
        """
        status = self.raw.get("status") or {}
        return str(status.get("createdAt") or "")

    @property
    def configuration(self) -> dict[str, Any]:
        """The requested configuration: the document without what only answers have."""
        return _without_answers({key: value for key, value in self.raw.items() if key not in {"status", "healthRoute"}})


def _without_answers(configuration: dict[str, Any]) -> dict[str, Any]:
    """Without `metric`, the older spelling of `measure`, which no request has."""
    compute = configuration.get("compute")
    scaling = compute.get("scaling") if isinstance(compute, dict) else None
    if not isinstance(compute, dict) or not isinstance(scaling, dict) or "metric" not in scaling:
        return configuration
    requested = {key: value for key, value in scaling.items() if key != "metric"}
    return configuration | {"compute": compute | {"scaling": requested}}


class EndpointPage(ApiModel):
    """One page of a list; `next_cursor` is None on the last, `prev_cursor` on the first."""

    items: list[Endpoint] = Field(default_factory=list)
    next_cursor: str | None = None
    prev_cursor: str | None = None
    total_items: int | None = None
