"""Show one endpoint with its settings."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from inference_endpoints.deploy.copying import copy_settings
from inference_endpoints.inference.tasks.table import find_task
from inference_endpoints.models import Endpoint, rfc3339
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Fenced, Name, Ours, ShortLine, Unchanged, Word, is_plain
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.token_bound import token_bound
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import EndpointName, Namespace, ResponseFormat
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.outputs import (
    STATE_SENTENCES,
    EndpointOutput,
    NextCall,
    describe_endpoint,
    last_used,
    next_call,
    state_word,
    trial_call,
)
from inference_endpoints_mcp.tools.plan_summary import MAX_PAYLOAD_TOKENS
from inference_endpoints_mcp.tools.spec import Toolset, tool

LONGEST_SETTING = 200
"""Characters of a text in `config`: what is longer, or has several lines, can carry sentences."""
MAX_SETTINGS = 30
"""Variables that are shown of one endpoint; the same limit holds for names of secrets and for arguments."""


class EndpointDetailsOutput(EndpointOutput):
    type: Word | None = None
    revision: Name | None = None
    framework: Word | None = None
    engine: Word | None = None
    image_url: ShortLine | None = None
    env: Fenced | None = Field(default=None, description="Fenced: one NAME=value a line.")
    secret_names: list[Name] | None = None
    args: Fenced | None = Field(default=None, description="Fenced: one a line.")
    tags: Fenced | None = Field(default=None, description="Fenced: other people can write them.")
    created_at: Word | None = None
    updated_at: Word | None = None
    last_used_at: Word | None = Field(default=None, description="Last call, or when it began to run, if later.")
    error: Fenced | None = Field(default=None, description="Fenced: the output of the failed container.")
    takes: Ours | None = Field(default=None, description="What its task takes and returns.")
    example: NextCall | None = Field(default=None, description="A call of its model.")
    config: Unchanged | None = Field(default=None, description="For create_endpoint, beside repository, hardware.")


@tool(uses=operations.GET, toolset=Toolset.LIFECYCLE, title="Inspect an endpoint")
async def get_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", response_format: ResponseFormat = "concise"
) -> EndpointDetailsOutput:
    """Show one endpoint: state, replicas, price, URL and settings; of secrets only the names. detailed adds a `config`
    with which create_endpoint makes an identical endpoint."""
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    endpoint = await call.endpoints.get(name, namespace)
    model, status = endpoint.model, endpoint.status
    env = call.redactor.data({key: str(value) for key, value in model.env.items()})
    names, arguments = sorted(model.secrets), call.redactor.data(model.args or [])
    not_shown = sum(max(0, len(settings) - MAX_SETTINGS) for settings in (env, names, arguments))
    copied = _reusable_settings(copy_settings(endpoint), call.redactor) if response_format == "detailed" else None
    return EndpointDetailsOutput(
        **await describe_endpoint(call, endpoint, namespace),
        type=clean_line(endpoint.type.value, 32),
        revision=clean_line(model.revision, 96) if model.revision else None,
        framework=clean_line(model.framework, 64) if model.framework else None,
        engine=clean_line(model.image.engine, 64) if model.image else None,
        image_url=_image_url(endpoint),
        env=_fence_settings(call, "env", [f"{name}={value}" for name, value in env.items()]),
        secret_names=[clean_line(name) for name in names[:MAX_SETTINGS]] or None,
        args=_fence_settings(call, "args", arguments),
        tags=call.fence.wrap("tags", ", ".join(endpoint.tags), 1_000) if endpoint.tags else None,
        created_at=rfc3339(status.created_at) if status.created_at else None,
        updated_at=rfc3339(status.updated_at) if status.updated_at else None,
        last_used_at=last_used(endpoint),
        error=call.fence.wrap("container", status.error_message, 2_000) if status.error_message else None,
        takes=_describe_task(endpoint),
        example=trial_call(endpoint, namespace),
        config=copied.settings if copied else None,
        now=STATE_SENTENCES.get(endpoint.state, f"It is {state_word(endpoint)}: not ready yet.")
        + (f" {not_shown} variables or arguments are left out." if not_shown else "")
        + (_config_note(copied, names) if copied else ""),
        next=_next_calls(endpoint, namespace),
    )


def _describe_task(endpoint: Endpoint) -> str | None:
    """What its task takes and returns; None for a task that is not known."""
    task = find_task(endpoint.model.task)
    if task is None:
        return None
    parameters = f"; parameters {', '.join(task.parameters)}" if task.parameters else ""
    return f"{task.name}: takes {', '.join(task.takes.model_fields)}{parameters}. Returns {task.returns}."


def _fence_settings(call: CallContext, source: str, settings: list[str]) -> str | None:
    """Settings that other people can write, one a line."""
    shown = "\n".join(clean_line(call.redactor.text(setting)) for setting in settings[:MAX_SETTINGS])
    return call.fence.wrap(source, shown) if shown else None


@dataclass(frozen=True)
class _ReusableSettings:
    """Settings that can be shown and used again: a masked or cleaned value would not be the same setting.

    `settings` is None if they are too long to show. `left_out` has the paths of settings that cannot be shown.
    """

    settings: dict[str, Any] | None
    left_out: list[str]


def _reusable_settings(settings: dict[str, Any], redactor: Redactor) -> _ReusableSettings:
    left_out: list[str] = []
    kept = _kept(settings, redactor.data(settings), "", left_out)
    return _ReusableSettings(
        kept if token_bound(json.dumps(kept, ensure_ascii=False)) <= MAX_PAYLOAD_TOKENS else None, left_out
    )


def _kept(value: Any, masked: Any, path: str, left_out: list[str]) -> Any:
    if isinstance(value, dict) and isinstance(masked, dict):
        kept = {}
        for key, inner in value.items():
            where = f"{path}.{key}".lstrip(".")
            if _would_change(key, key) or key not in masked or _would_change(inner, masked[key]):
                left_out.append(clean_line(where, 80))
            else:
                kept[key] = _kept(inner, masked[key], where, left_out)
        return kept
    return value


def _would_change(value: Any, masked: Any) -> bool:
    """Whether a text, or a text in a list, is not shown unchanged."""
    if isinstance(value, list) and isinstance(masked, list):
        return any(_would_change(one, other) for one, other in zip(value, masked, strict=True))
    return isinstance(value, str) and (value != masked or not is_plain(value, LONGEST_SETTING))


def _config_note(copied: _ReusableSettings, secrets: list[str]) -> str:
    if copied.settings is None:
        return " Its config is too long to show."
    missing = [*copied.left_out, *(f"model.secrets.{clean_line(name, 60)}" for name in secrets)]
    more = f" and {len(missing) - MAX_SETTINGS} more" if len(missing) > MAX_SETTINGS else ""
    return f" Not in its config: {', '.join(missing[:MAX_SETTINGS])}{more}." if missing else ""


def _image_url(endpoint: Endpoint) -> str | None:
    url = endpoint.model.image.settings.get("url") if endpoint.model.image else None
    return clean_line(str(url)) if url else None


def _next_calls(endpoint: Endpoint, namespace: str) -> list[NextCall]:
    following = {
        State.PAUSED: "resume_endpoint",
        State.FAILED: "diagnose_endpoint",
        State.UPDATE_FAILED: "diagnose_endpoint",
        State.PENDING: "wait_for_endpoint",
        State.INITIALIZING: "wait_for_endpoint",
        State.UPDATING: "wait_for_endpoint",
    }.get(endpoint.state)
    return [next_call(following, namespace, endpoint.name)] if following else []
