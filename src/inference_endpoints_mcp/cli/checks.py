"""What `doctor` reads of a backend: first whose token it uses and whether that account can deploy, then all else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.offers import QUOTAS_WITHOUT_PAYMENT_METHOD, lack_payment_method, list_offers
from inference_endpoints.errors import ADD_PAYMENT_METHOD, Forbidden, InferenceEndpointError, Unauthorized
from inference_endpoints.models import WhoAmI
from inference_endpoints.models.account import MANAGE, READ
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.privacy.untrusted_text import clean_line


@dataclass(frozen=True)
class Check:
    """One line of the report. `ok` is None for plain information."""

    subject: str
    result: str
    ok: bool | None = True

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAILED", None: "·"}[self.ok]
        return f"{mark:<6}  {self.subject:<16} {self.result}"


async def check_account(client: AsyncEndpointsClient) -> list[Check]:
    """Whose token it is, what it may do in the namespace that is used, and whether that can pay."""
    try:
        caller = await client.whoami()
        namespace = client.namespace or caller.name
        return [
            Check("whoami", f"{clean_line(caller.name)}, may act for {', '.join(map(clean_line, caller.namespaces))}"),
            _check_permissions(caller, namespace),
            await _check_payment(client, caller, namespace),
        ]
    except InferenceEndpointError as error:
        return [_failed("whoami", error)]


async def check_reads(client: AsyncEndpointsClient) -> list[Check]:
    """Read everything that a backend offers."""
    checks = []
    for subject, read in _READS_BY_SUBJECT.items():
        try:
            checks.append(Check(subject, await read(client)))
        except InferenceEndpointError as error:
            checks.append(_failed(subject, error))
    return checks


def _failed(subject: str, error: InferenceEndpointError) -> Check:
    if isinstance(error, Unauthorized):
        result = str(error) if error.status is None else "the backend answered, but refused the token"
        return Check(subject, result, ok=False)
    return Check(subject, f"{error.code}: {error.message}", ok=False)


def _check_permissions(caller: WhoAmI, namespace: str) -> Check:
    granted, missing = caller.permissions(namespace), caller.missing_permissions(namespace)
    if granted is None:
        return Check("permissions", f"those of a token with role {clean_line(caller.token_role) or 'unknown'}", None)
    if not missing:
        return Check("permissions", ", ".join(map(clean_line, granted)))
    then = "reading" if READ in missing else "changing" if MANAGE in missing else "calling"
    lacks = f"the token lacks {', '.join(missing)} for {clean_line(namespace)}: {then} endpoints will be refused"
    add = "Add it at https://huggingface.co/settings/tokens."
    return Check("permissions", f"{lacks}. {add}", ok=False if READ in missing else None)


async def _check_payment(client: AsyncEndpointsClient, caller: WhoAmI, namespace: str) -> Check:
    try:
        quotas = await client.quotas(namespace)
    except InferenceEndpointError as error:
        return _failed("payment method", error)
    cloud = [quota for vendor, quota in quotas.each() if vendor != LOCAL]
    if not cloud and client.backend.name == LOCAL:
        return Check("payment method", "not needed on this machine", None)
    if lack_payment_method(cloud):
        return Check("payment method", f"{QUOTAS_WITHOUT_PAYMENT_METHOD} {ADD_PAYMENT_METHOD}", ok=False)
    if caller.can_pay_for(namespace) is False:
        return Check("payment method", "whoami shows none, but there are quotas", None)
    return Check("payment method", f"quotas of {sum(quota.max_accelerators > 0 for quota in cloud)} kinds of hardware")


async def _read_hardware(client: AsyncEndpointsClient) -> str:
    found = list_offers(await client.hardware())
    return f"{len(found)} instances, {sum(offer.available for offer in found)} available within quota"


async def _read_endpoints(client: AsyncEndpointsClient) -> str:
    found = await client.list()
    if not found:
        return "none"
    name = found[0].name
    await client.get(name)
    replicas, logs = await client.replicas(name), await client.logs(name, tail=10)
    await client.metrics(name, start=timedelta(hours=1))
    return (
        f"{len(found)}; read {clean_line(name)}: {len(replicas)} replica(s), {len(logs)} log line(s), and its metrics"
    )


async def _read_quotas(client: AsyncEndpointsClient) -> str:
    return f"{len(list((await client.quotas()).each()))} kinds of hardware"


async def _read_audit_log(client: AsyncEndpointsClient) -> str:
    try:
        return f"read the newest {len((await client.audit_logs(limit=10)).items)} entries"
    except Forbidden:
        return "not readable with this plan or token"


async def _read_catalogue(client: AsyncEndpointsClient) -> str:
    models = await client.catalogue()
    if not models:
        return "empty"
    first = models[0].repo_id
    try:
        hardware = (await client.suggestion(first)).suggested_compute or "none"
    except InferenceEndpointError:
        hardware = "none"  # the route is not documented, and nothing depends on it
    return f"{len(models)} models; suggested hardware for {clean_line(first)}: {clean_line(hardware)}"


_READS_BY_SUBJECT: dict[str, Callable[[AsyncEndpointsClient], Awaitable[str]]] = {
    "hardware": _read_hardware,
    "quotas": _read_quotas,
    "endpoints": _read_endpoints,
    "audit log": _read_audit_log,
    "catalogue": _read_catalogue,
}
