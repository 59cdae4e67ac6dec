"""The settings of the MCP server, however it is reached."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    DirectoryPath,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from inference_endpoints_mcp.cli.settings.base import PlaneSettings
from inference_endpoints_mcp.cli.settings.values import Effects, validate_collector, validate_hosts
from inference_endpoints_mcp.policy.effects import ASKED_BY_DEFAULT, EFFECTS, gravest_first
from inference_endpoints_mcp.policy.limits import CommaSeparated, Limits, read_limits
from inference_endpoints_mcp.policy.owned_limits import flag


class ServerSettings(PlaneSettings, Limits):
    """An MCP server for Hugging Face Inference Endpoints, over stdio.

    Without --local it manages endpoints on Hugging Face, with the token in HF_TOKEN or the one saved by
    `hf auth login`. Further commands, each with --help: install, uninstall, serve --http, dashboard, keys,
    audit verify, demo, doctor, control-plane, control-plane stop.
    Every flag here is a variable too: --data-dir is INFERENCE_ENDPOINTS_DATA_DIR. Lists are separated by commas.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=False)

    local: bool = Field(
        default=False, description="Use the embedded control plane on this machine. It starts if none runs."
    )
    token_file: Path | None = Field(
        default=None, description="Private file with the Hugging Face token. Default: HF_TOKEN, or the saved one."
    )
    token_variable: str | None = Field(default=None, description="Variable with the token, instead of HF_TOKEN.")
    token_command: str | None = Field(
        default=None,
        description="Command that prints the token. It runs again, as a file is read again, when the token is refused.",
    )
    confirm: Literal["elicit", "plan", "host", "off"] = Field(
        default="elicit",
        description="How changes are approved: elicit asks a person through the host; plan needs two calls, which a "
        "model can make alone; host gives the host a token in _meta, which no model reads, to call again with; off "
        "needs no approval.",
    )
    confirm_effects: Effects = Field(
        default=tuple(gravest_first(ASKED_BY_DEFAULT)),
        description="What needs approval: "
        + ", ".join(f"{effect} ({rule.covers})" for effect, rule in EFFECTS.items())
        + ".",
    )
    confirm_above: float = Field(
        default=0.0, ge=0, description="Spending needs approval only above this price in USD per hour."
    )
    confirm_simulated: bool = Field(
        default=False, description="Simulated spending needs approval too, to try out approvals."
    )
    answer_within: float = Field(
        default=600.0, gt=0, description="Seconds that a person has to answer a request for approval."
    )
    lend: CommaSeparated = Field(
        default=(),
        description="Variables of this server's environment that endpoints may get as secrets. HF_TOKEN:acme/* binds "
        "one to repositories, HF_TOKEN:ghcr.io/acme/* to images too.",
    )
    lend_file: Path | None = Field(
        default=None,
        description="Private file of NAME=value lines that endpoints may get as secrets. --lend NAME:pattern binds.",
    )
    media_folders: CommaSeparated = Field(
        default=(), description="Folders whose images and sounds calls may send to endpoints. Default: none."
    )
    media_hosts: Annotated[CommaSeparated, AfterValidator(validate_hosts)] = Field(
        default=(),
        description="Hosts from which images and sounds may be fetched to be sent to endpoints. Default: none.",
    )
    output_folder: DirectoryPath | None = Field(
        default=None,
        description="Folder for the images and sounds that endpoints make. Without one they are resources for a while.",
    )
    policy: Path | None = Field(
        default=None,
        description="TOML file with limits, by the names of these flags. Flags and variables override it.",
    )
    audit_file: Path | None = Field(
        default=None,
        description="Append a line of JSON for each plan, approval, refusal and change, with a hash of all before it. "
        "Over HTTP, - is standard output.",
    )
    audit_otlp: Annotated[str, AfterValidator(validate_collector)] | None = Field(
        default=None,
        description="Send each of these lines as a log record of OpenTelemetry too, or only so, to this address (OTLP "
        "over HTTP, extra otel): http://127.0.0.1:4318/v1/logs.",
    )
    hold: float | None = Field(
        default=None,
        gt=0,
        description="Longest duration of one call in seconds. Default: found out for each host.",
    )
    endpoint_hosts: Annotated[CommaSeparated, AfterValidator(validate_hosts)] = Field(
        default=(),
        description="More hosts of endpoints that get the token, for private links and custom domains: "
        ".acme.example for all hosts below it. Hugging Face's own hosts always get it.",
    )
    max_calls: int = Field(default=64, ge=1, description="Most calls that one caller can run at the same time.")
    max_waits: int = Field(
        default=32, ge=1, description="Most calls of one caller that can wait for an endpoint at the same time."
    )
    subscriptions: int | None = Field(
        default=None,
        ge=0,
        description="Most resources that one caller can subscribe to; 0 for none. Default: 20, over HTTP none.",
    )

    @model_validator(mode="after")
    def _one_source_of_the_token(self) -> Self:
        if sum(source is not None for source in (self.token_file, self.token_variable, self.token_command)) > 1:
            raise PydanticCustomError("token", "--token-file, --token-variable and --token-command exclude each other.")
        return self

    @model_validator(mode="after")
    def _simulated_hardware_needs_the_plane(self) -> Self:
        for name in ("simulated", "simulated_speed", "engine"):
            if name in self.model_fields_set and not self.local:
                raise PydanticCustomError("needs_local", "{flag} needs --local.", {"flag": flag(name)})
        return self


def _default_limits(settings: ServerSettings) -> dict[str, tuple[str, ...]]:
    """The default limits: an assistant must not read the rest of the disk."""
    if not settings.local:
        return {}
    import tempfile

    return {"model_folders": ("~", ".", tempfile.gettempdir())}


def merge_limits(settings: ServerSettings) -> Limits:
    """The limits of flags and variables, then of the policy file, then the defaults. Raises `LimitsError`."""
    explicit = settings.model_dump(include=set(Limits.model_fields) & settings.model_fields_set)
    return Limits(**_default_limits(settings) | (read_limits(settings.policy) if settings.policy else {}) | explicit)


def absolute(folders: Iterable[str]) -> tuple[str, ...]:
    """These folders by their absolute paths, for a process with another working folder."""
    return tuple(sorted(str(Path(folder).expanduser().absolute()) for folder in folders))
