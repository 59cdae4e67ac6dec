"""How much of each quota the endpoints use, and whether one may use more."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.models.catalogue import cores_of_replica
from inference_endpoints_local.models.instances import LOCAL_VENDOR
from inference_endpoints_local.state.record import EndpointRecord, PowerState, Spec, instance_size

_QuotaKey = tuple[str, str]


def quota_usage(endpoints: Iterable[ManagedEndpoint]) -> Counter[_QuotaKey]:
    """The use of each quota, by vendor and instance type: accelerators, on this machine whole cores."""
    return Counter({key: int(use) for key, use in _usage(endpoints).items()})


def _usage(endpoints: Iterable[ManagedEndpoint]) -> dict[_QuotaKey, float]:
    usage: dict[_QuotaKey, float] = defaultdict(float)
    for endpoint in endpoints:
        usage[_quota_key(endpoint.record.spec)] += _quota_use(endpoint.record, endpoint.status.target)
    return usage


def exceeds_quota(
    record: EndpointRecord,
    endpoint: ManagedEndpoint | None,
    endpoints: Iterable[ManagedEndpoint],
    quota_of: Callable[[Spec], int],
) -> bool:
    """Whether the endpoint requests more than it uses now, and more than is left of its quota."""
    key, requested_use, current_use = _quota_key(record.spec), _quota_use(record, record.min_replicas), 0.0
    if endpoint and _quota_key(endpoint.record.spec) == key:
        current_use = _quota_use(endpoint.record, endpoint.status.target)
    if requested_use <= current_use:
        return False
    return _usage(endpoints).get(key, 0.0) - current_use + requested_use > quota_of(record.spec)


def _quota_key(spec: Spec) -> _QuotaKey:
    return spec["provider"]["vendor"], spec["compute"]["instanceType"]


def _quota_use(record: EndpointRecord, replicas: int) -> float:
    """Accelerators, on this machine cores, that count against the quota while so many replicas run.

    On this machine running replicas count. In the clouds every endpoint that is not paused counts, scaled to zero or
    not, with its maximum of replicas (the service's documentation).
    """
    if _quota_key(record.spec)[0] == LOCAL_VENDOR:
        each = cores_of_replica(record.spec) if _quota_key(record.spec)[1] == "cpu" else instance_size(record.spec)
        return each * replicas if record.wants_replicas else 0
    return 0 if record.power is PowerState.PAUSED else instance_size(record.spec) * record.max_replicas
