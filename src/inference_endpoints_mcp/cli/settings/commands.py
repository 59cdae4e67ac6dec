"""The settings of the other commands."""

from pathlib import Path
from typing import Self

from pydantic import (
    AliasChoices,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from inference_endpoints_mcp.cli.settings.base import CommandSettings, PlaneSettings
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.policy.limits import CommaSeparated
from inference_endpoints_mcp.policy.owned_limits import flag


class KeySettings(CommandSettings):
    """Add, list and remove the keys of callers of `serve --http --keys FILE`: keys add, keys list, keys remove."""

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp keys")

    keys: Path = Field(description="File of the keys. It holds no key, only what is needed to recognize one.")
    name: str | None = Field(default=None, description="Whose key: a person, a bot, a team.")
    profile: str | None = Field(default=None, description="Profile of a new key, from the file of --profiles.")
    days: int = Field(default=90, ge=0, description="Days for which a new key is valid; 0 for no end.")


class DashboardSettings(ServerSettings):
    """Show endpoints in a browser: what runs, what it costs, how it does; and change them, with the usual approvals.

    It listens on this machine only, and opens with a link that is good once.
    """

    flags_only = frozenset({"port"})

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp dashboard")

    port: int = Field(default=0, ge=0, le=65_535, description="Port to listen on. Default: any free port.")
    no_browser: bool = Field(default=False, description="Only print the link; do not open a browser.")


class AuditSettings(CommandSettings):
    """Check that an audit trail is as it was written: audit verify. Its last hash, kept elsewhere, shows later that
    nothing was cut off.
    """

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp audit verify")

    audit_file: Path = Field(
        description="The file; those before it (.1, .2, …) are checked too. Or the copy of a collector of "
        "OpenTelemetry, as its `file` exporter writes it."
    )
    expect: str | None = Field(default=None, description="A hash of a line that must be in the trail.")


class ControlPlaneSettings(PlaneSettings):
    """Run the embedded control plane in the foreground: the REST API of Inference Endpoints, on this machine.

    `control-plane stop` stops the control plane that uses the data folder.
    """

    flags_only = frozenset({"json", "port"})

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp control-plane")

    port: int | None = Field(
        default=None, ge=0, le=65_535, description="Port on the loopback address. Default: the last one."
    )
    model_folders: CommaSeparated = Field(
        default=(), description="Only model files in these folders. Default: anywhere."
    )
    linger: float | None = Field(
        default=None, ge=0, description="End after this many seconds without use. Default: never."
    )
    no_payment_method: bool = Field(
        default=False,
        description="Act as an account without a payment method: quotas of simulated hardware are 0, and creating on "
        "it is refused.",
    )
    json_: bool = Field(
        default=False,
        validation_alias=AliasChoices("json"),
        description="Print one line of JSON when it is ready: url, namespace, token_file, pid, simulated.",
    )


class DemoSettings(CommandSettings):
    """Deploy a real model on this machine through an assistant's tool calls: wait, chat, pause, wake, delete."""

    flags_only = frozenset({"json"})

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp demo")

    json_: bool = Field(
        default=False, validation_alias=AliasChoices("json"), description="Print one JSON object at the end."
    )
    media: bool = Field(
        default=False, description="Speech and images too: about 240 MB more, with the extra local-media."
    )


class DoctorSettings(ServerSettings):
    """Check what is configured, what can be reached, and what is missing."""

    flags_only = frozenset({"report", "document"})

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp doctor")

    live: bool = Field(
        default=False,
        description="Call every operation of the service that only reads, and show where an answer differs from what "
        "is documented.",
    )
    report: Path | None = Field(
        default=None,
        description="With --live: file for the answers, in which placeholders stand for personal details.",
    )
    document: Path | None = Field(
        default=None,
        description="With --live: a copy of https://api.endpoints.huggingface.cloud/openapi.json to compare with. "
        "Default: the file in SERVICE_OPENAPI.",
    )

    @model_validator(mode="after")
    def _the_walk_needs_live(self) -> Self:
        for name in ("report", "document"):
            if name in self.model_fields_set and not self.live:
                raise PydanticCustomError("needs_live", "{flag} needs --live.", {"flag": flag(name)})
        return self
