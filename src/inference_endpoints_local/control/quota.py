"""How much of each quota the endpoints use, and whether one may use more."""

from collections import Counter
from collections.abc import Callable, Iterable

from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.models.instances import LOCAL_VENDOR
from inference_endpoints_local.state.record import EndpointRecord, PowerState, Spec, instance_size


def quota_usage(endpoints: Iterable[ManagedEndpoint]) -> Counter[tuple[str, str]]:
    """The use of each quota, by vendor and instance type: accelerators, on this machine cores."""
    usage: Counter[tuple[str, str]] = Counter()
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
    key, requested_use, current_use = _quota_key(record.spec), _quota_use(record, record.min_replicas), 0
    if endpoint and _quota_key(endpoint.record.spec) == key:
        current_use = _quota_use(endpoint.record, endpoint.status.target)
    if requested_use <= current_use:
        return False
    return quota_usage(endpoints)[key] - current_use + requested_use > quota_of(record.spec)


def _quota_key(spec: Spec) -> tuple[str, str]:
    return spec["provider"]["vendor"], spec["compute"]["instanceType"]


def _quota_use(record: EndpointRecord, replicas: int) -> int:
    """Accelerators, on this machine cores, that count against the quota while so many replicas run.

    On this machine running replicas count. In the clouds every endpoint that is not paused counts, scaled to zero or
    not, with its maximum of replicas (the service's documentation).
    """
    size = instance_size(record.spec)
    if _quota_key(record.spec)[0] == LOCAL_VENDOR:
        return size * replicas if record.wants_replicas else 0
    return 0 if record.power is PowerState.PAUSED else size * record.max_replicas
