"""What a caller requests: a new endpoint, or a change of one. Only settings that are set are sent.

Accelerator, framework and task may come from the service: its hardware listing, a model on the Hub, another endpoint.
They are not checked at run time, so that a newer value than this package knows still passes.
"""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SkipValidation
from pydantic_core import PydanticCustomError

from inference_endpoints.deploy.request_validation import validated
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import (
    DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN,
    MAX_SCALE_TO_ZERO_TIMEOUT_MIN,
    MIN_SCALE_TO_ZERO_TIMEOUT_MIN,
    CreateRequest,
    Endpoint,
    Image,
    Instance,
    UpdateRequest,
    format_hardware_id,
)
from inference_endpoints.models.settings.literals import (
    Accelerator,
    AccessType,
    EndpointTask,
    Framework,
    PrivateLinkRegion,
    ScalingMetric,
)

LONGEST_NAME = 32


def _checked_name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) and len(name) <= LONGEST_NAME:
        return name
    rule = f"has up to {LONGEST_NAME} lower-case letters, digits and '-', none of them '-' at either end"
    like = name_like(name)
    raise PydanticCustomError("endpoint_name", "{rule}", {"rule": rule + (f", like {like}" if like else "")})


def name_like(text: str, length: int = LONGEST_NAME) -> str:
    """A valid name, made of the letters and digits of a text; empty if it has none."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-")


def check_name(name: str) -> None:
    """Raises `BadRequest` for a name that no new endpoint can have. Older endpoints may have such names."""
    try:
        _checked_name(name)
    except PydanticCustomError as error:
        raise BadRequest(f"The request is not valid, so nothing was sent: endpoint_name {error.message()}.") from error


EndpointName = Annotated[str, AfterValidator(_checked_name)]
"""Lower-case letters, digits and '-', at most 32 (the service's rule since 2022)."""


class Hardware(BaseModel):
    """An instance in a region, as a create request names it.

    >>> hardware = Hardware(
    ...     vendor="aws", region="us-east-1", accelerator="gpu", instance_type="nvidia-l4", instance_size="x1"
    ... )
    >>> hardware.id
    'aws-us-east-1-nvidia-l4-x1'
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    vendor: str
    region: str
    accelerator: Annotated[Accelerator, SkipValidation]
    instance_type: str
    instance_size: str

    @classmethod
    def of(cls, vendor: str, region: str, instance: Instance) -> "Hardware":
        """An instance of the hardware listing.

        >>> client = EndpointsClient()
        >>> vendor, region, instance = next(client.hardware().instances())
        >>> Hardware.of(vendor.name, region.name, instance).id
        'local-machine-cpu-x1'
        """
        return cls(
            vendor=vendor,
            region=region,
            accelerator=instance.accelerator,
            instance_type=instance.instance_type,
            instance_size=instance.instance_size,
        )

    @property
    def instance(self) -> dict[str, str]:
        """The settings of an `EndpointChange` to this hardware, where the endpoint is in its region already.

        >>> hardware.instance
        {'accelerator': 'gpu', 'instance_type': 'nvidia-l4', 'instance_size': 'x1'}
        """
        return self.model_dump(exclude={"vendor", "region"})

    @property
    def id(self) -> str:
        """`{vendor}-{region}-{instance type}-{instance size}`."""
        return format_hardware_id(self.vendor, self.region, self.instance_type, self.instance_size)


class EndpointSettings(BaseModel):
    """The settings of both create and update requests. None means unset: it is not sent.

    `scale_to_zero_timeout` is in minutes. `image` is one engine with its settings, sent whole. `domain` and `path`
    are those of the endpoint's own route.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    framework: Annotated[Framework | None, SkipValidation] = None
    revision: str | None = None
    task: Annotated[EndpointTask | None, SkipValidation] = None
    image: dict[str, dict[str, Any]] | None = None
    min_replica: Annotated[int, Field(ge=0)] | None = None
    max_replica: Annotated[int, Field(ge=0)] | None = None
    scale_to_zero_timeout: (
        Annotated[int, Field(ge=MIN_SCALE_TO_ZERO_TIMEOUT_MIN, le=MAX_SCALE_TO_ZERO_TIMEOUT_MIN)] | None
    ) = None
    scaling_metric: ScalingMetric | None = None
    scaling_threshold: float | None = None
    env: dict[str, str] | None = None
    secrets: dict[str, str] | None = Field(default=None, repr=False)
    args: list[str] | None = None
    command: list[str] | None = None
    type: AccessType | None = None
    tags: list[str] | None = None
    cache_http_responses: bool | None = None
    domain: str | None = None
    path: str | None = None

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Make one of settings by name. Raises `BadRequest`, which names the wrong settings, but never their values.

        >>> try:
        ...     EndpointChange.checked(max_replica=-1)
        ... except BadRequest as error:
        ...     print(error)
        The request is not valid, so nothing was sent: max_replica is a whole number, 0 or more.
        """
        return validated(lambda: cls(**values))

    def _scaling(self) -> dict[str, Any]:
        measure = None
        if self.scaling_metric is not None:
            measure = {self.scaling_metric: self.scaling_threshold}
        return _set_only(
            minReplica=self.min_replica,
            maxReplica=self.max_replica,
            scaleToZeroTimeout=self.scale_to_zero_timeout,
            measure=measure,
        )

    def _model(self) -> dict[str, Any]:
        # The service refuses `task: null` and fills in a missing one: an unset task is left out.
        return _set_only(
            framework=self.framework,
            revision=self.revision,
            task=self.task,
            image=self.image,
            env=self.env,
            secrets=self.secrets,
            args=self.args,
            command=self.command,
        )

    def _top_level_settings(self) -> dict[str, Any]:
        route = _set_only(domain=self.domain, path=self.path)
        return _set_only(
            type=self.type, tags=self.tags, cacheHttpResponses=self.cache_http_responses, route=route or None
        )

    def _check(self) -> None:
        low, high = self.min_replica, self.max_replica
        if low is not None and high is not None and low > high:
            raise BadRequest(f"min_replica ({low}) is above max_replica ({high}).", hint="Raise max_replica.")
        if self.scale_to_zero_timeout is not None and low is not None:
            check_can_scale_to_zero(low)


class EndpointSpec(EndpointSettings):
    """A new endpoint. Its defaults cost least: no replica kept running, one at most, scaled to zero after 15 idle min.

    The registry's credentials are for a `custom` image. `private_link_region` is the region of the PrivateLink
    entry point, us-east-1 or eu-west-1; it may differ from the endpoint's (huggingface_hub 2.4.0).

    >>> hardware = Hardware(
    ...     vendor="aws", region="us-east-1", accelerator="gpu", instance_type="nvidia-l4", instance_size="x1"
    ... )
    >>> spec = EndpointSpec(name="small", repository="org/small-1B", hardware=hardware, task="text-generation")
    """

    name: EndpointName
    repository: Annotated[str, Field(min_length=1, max_length=512)]
    hardware: Hardware
    framework: Annotated[Framework | None, SkipValidation] = "pytorch"
    min_replica: Annotated[int, Field(ge=0)] | None = 0
    max_replica: Annotated[int, Field(ge=1)] | None = 1
    type: AccessType | None = "private"
    registry_username: str | None = None
    registry_password: str | None = Field(default=None, repr=False)
    private_link_account_id: str | None = None
    private_link_region: PrivateLinkRegion | None = None

    def request(self) -> CreateRequest:
        """The create request. Raises `BadRequest` if settings contradict each other.

        >>> spec.request().to_json()["compute"]["scaling"]
        {'minReplica': 0, 'maxReplica': 1, 'scaleToZeroTimeout': 15}
        """
        self._check()
        scaling = self._scaling()
        if self.min_replica == 0:
            scaling.setdefault("scaleToZeroTimeout", DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN)
        body = {
            "name": self.name,
            "provider": {"vendor": self.hardware.vendor, "region": self.hardware.region},
            "compute": {
                "accelerator": self.hardware.accelerator,
                "instanceType": self.hardware.instance_type,
                "instanceSize": self.hardware.instance_size,
                "scaling": scaling,
            },
            "model": {"repository": self.repository, "image": {"huggingface": {}}} | self._model(),
        }
        return validated(lambda: CreateRequest.model_validate(body | self._top_level_settings()))

    def _model(self) -> dict[str, Any]:
        model = super()._model()
        if self.registry_username is None and self.registry_password is None:
            return model
        custom = (self.image or {}).get("custom")
        if self.registry_username is None or custom is None:
            raise BadRequest("Registry credentials need a user name and a custom image.")
        credentials = {"username": self.registry_username, "password": self.registry_password}
        return model | {"image": {"custom": custom | {"credentials": credentials}}}

    def _top_level_settings(self) -> dict[str, Any]:
        account, region = self.private_link_account_id, self.private_link_region
        if account is None:
            return super()._top_level_settings()
        if region is None:
            raise BadRequest("private_link_account_id needs private_link_region.", hint="us-east-1 or eu-west-1.")
        return super()._top_level_settings() | {"privateService": {"accountId": account, "region": region}}


class EndpointChange(EndpointSettings):
    """A change of an endpoint: what is None stays as it is. The name cannot be changed.

    Another `vendor` and `region` move it: the instance must exist there, the replicas are replaced, the URL may change.

    >>> change = EndpointChange(min_replica=0, scale_to_zero_timeout=30)
    """

    vendor: str | None = None
    region: str | None = None
    repository: str | None = None
    accelerator: Annotated[Accelerator | None, SkipValidation] = None
    instance_type: str | None = None
    instance_size: str | None = None

    def request(self) -> UpdateRequest:
        """The update request. Raises `BadRequest` if nothing is set.

        >>> change.request().to_json()
        {'compute': {'scaling': {'minReplica': 0, 'scaleToZeroTimeout': 30}}}
        """
        self._check()
        compute = _set_only(
            accelerator=self.accelerator,
            instanceType=self.instance_type,
            instanceSize=self.instance_size,
            scaling=self._scaling() or None,
        )
        model = _set_only(repository=self.repository) | self._model()
        provider = _set_only(vendor=self.vendor, region=self.region)
        if len(provider) == 1:
            raise BadRequest("vendor and region are given together: nothing was sent.", hint="Give both.")
        parts = _set_only(provider=provider or None, compute=compute or None, model=model or None)
        body = parts | self._top_level_settings()
        if not body:
            raise BadRequest("Nothing to change was given: nothing was sent.", hint="Give at least one setting.")
        return validated(lambda: UpdateRequest.model_validate(body))


def check_can_scale_to_zero(min_replica: int) -> None:
    """Raises `BadRequest` where a replica always runs: `scale_to_zero_timeout` then has no effect."""
    if min_replica > 0:
        raise BadRequest(
            f"scale_to_zero_timeout needs min_replica 0: with {min_replica}, the endpoint never scales to zero. "
            "Nothing was sent.",
            hint="Set min_replica to 0, or leave scale_to_zero_timeout out.",
        )


def image_of(custom_image: dict[str, Any] | None) -> dict[str, Any] | None:
    """The image in the API's form; `custom_image` holds the settings of a container (with `url`) or an engine."""
    return {"custom": custom_image} if custom_image and "url" in custom_image else custom_image


def differences(current: Endpoint, request: UpdateRequest) -> dict[str, tuple[Any, Any]]:
    """What a request would change in an endpoint: dotted path to (before, after). Secrets never compare equal.

    Of the environment it holds only the variables that differ, because the service keeps the others.
    """
    changes: dict[str, tuple[Any, Any]] = {}
    _compare("", current.raw, request.to_json(), changes)
    return changes


def changed_settings(current: Endpoint | None, request: UpdateRequest) -> list[str]:
    """The dotted paths of `differences`; of a new endpoint all that it sets."""
    if current is not None:
        return list(differences(current, request))
    changes: dict[str, tuple[Any, Any]] = {}
    _compare("", {}, request.to_json(), changes)
    return list(changes)


def _compare(path: str, before: Any, after: Any, changes: dict[str, tuple[Any, Any]]) -> None:
    if path == "model.env" and isinstance(before, dict) and isinstance(after, dict):
        different = {name: value for name, value in after.items() if before.get(name) != value}
        if different:
            changes[path] = ({name: before.get(name) for name in different}, different)
    elif isinstance(after, dict) and path not in {"model.env", "model.secrets", "model.image"}:
        for key, value in after.items():
            inner = before.get(key) if isinstance(before, dict) else None
            _compare(f"{path}.{key}".lstrip("."), inner, value, changes)
    elif path == "model.image":
        if not _same_image(before, after):
            changes[path] = (before, after)
    elif (before or None) != (after or None) or path == "model.secrets":
        changes[path] = (before, after)


def _same_image(before: Any, after: Any) -> bool:
    """Whether the image has all requested settings. The service adds its defaults to an image."""
    old, new = Image.model_validate(before or {}), Image.model_validate(after or {})
    return old.engine == new.engine and all(old.settings.get(key) == value for key, value in new.settings.items())


def _set_only(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
