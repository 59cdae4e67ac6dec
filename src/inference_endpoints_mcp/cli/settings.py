"""The operator's settings: each a flag, an `INFERENCE_ENDPOINTS_…` variable and a line of help."""

import re
import sys
from argparse import Action, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, CliApp, CliSettingsSource, SettingsConfigDict, SettingsError
from typing_extensions import TypeAliasType

from inference_endpoints.transport.token import hugging_face_token as hugging_face_token
from inference_endpoints_mcp.policy.limits import Limits, Listed, items, read_limits

PREFIX = "INFERENCE_ENDPOINTS_"

Effects = TypeAliasType(
    "Effects", Annotated[tuple[Literal["destroys", "spends", "disrupts"], ...], BeforeValidator(items)]
)

Chosen = TypeVar("Chosen", bound="Settings")


def _hosts(given: tuple[str, ...]) -> tuple[str, ...]:
    """Each a host, or a suffix with a dot before it, of two names at least: the token must not go to all of `.com`."""
    wrong = [host for host in given if not re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)+", host)]
    if wrong:
        raise PydanticCustomError(
            "hosts", "{wrong} is no host, such as llm.acme.example or .acme.example", {"wrong": wrong[0]}
        )
    return given


class Settings(BaseSettings):
    """How every command reads its settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        cli_prog_name="inference-endpoints-mcp",
        env_ignore_empty=True,
        enable_decoding=False,
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_avoid_json=True,
        cli_hide_none_type=True,
        extra="ignore",
    )


class FolderSettings(Settings):
    """For `control-plane stop`: which plane is meant."""

    data_dir: Path | None = Field(
        default=None, description="Folder of the embedded control plane. Default: the user's data folder."
    )

    @property
    def folder(self) -> Path:
        from inference_endpoints_local.daemon.connect import default_data_dir

        return self.data_dir or default_data_dir()


class PlaneSettings(FolderSettings):
    """How an embedded control plane is started."""

    namespace: str | None = Field(default=None, description="Namespace where a call names none. Default: your own.")
    simulated: bool = Field(
        default=False, description="Let the embedded control plane also simulate public cloud hardware and its prices."
    )
    simulated_speed: float = Field(
        default=1.0, gt=0, le=1_000, description="How much faster than the clock simulated time runs."
    )


class ServerSettings(PlaneSettings, Limits):
    """An MCP server for Hugging Face Inference Endpoints, over stdio.

    Without --local it manages endpoints on Hugging Face, with the token in HF_TOKEN or the one saved by
    `hf auth login`. Further commands, each with --help: serve --http, demo, doctor, control-plane,
    control-plane stop.
    Every flag is a variable too: --data-dir is INFERENCE_ENDPOINTS_DATA_DIR. Lists are separated by commas.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=False)

    local: bool = Field(
        default=False, description="Use the embedded control plane on this machine, starting it if none runs."
    )
    confirm: Literal["elicit", "plan", "host", "off"] = Field(
        default="elicit",
        description="How changes are approved: elicit asks a person through the host; plan takes two calls, which a "
        "model can make alone; host leaves it to a button of the host's own; off asks nobody.",
    )
    confirm_effects: Effects = Field(
        default=("destroys", "spends"),
        description="What needs approval: destroys (deleting), spends (what may then cost more, waking by a call "
        "included), disrupts (pausing, updating and the like).",
    )
    confirm_above: float = Field(
        default=0.0, ge=0, description="What spends needs approval only above this price in USD per hour."
    )
    confirm_simulated: bool = Field(
        default=False, description="Have simulated spending approved like real spending, to rehearse it."
    )
    answer_within: float = Field(
        default=600.0, gt=0, description="Longest a person may take to approve something, in seconds."
    )
    lend: Listed = Field(
        default=(), description="Variables of this server's environment that endpoints may be given as secrets."
    )
    lend_file: Path | None = Field(
        default=None, description="Private file of NAME=value lines that endpoints may be given as secrets."
    )
    policy: Path | None = Field(
        default=None,
        description="TOML file with limits, by the names of these flags; flags and variables go before it.",
    )
    audit_file: Path | None = Field(
        default=None, description="Append a line of JSON for each plan, approval, refusal and change."
    )
    hold: float | None = Field(
        default=None, gt=0, description="Longest to hold one call, in seconds. Default: what the host is known to bear."
    )
    endpoint_hosts: Annotated[Listed, AfterValidator(_hosts)] = Field(
        default=(),
        description="More hosts of endpoints that may see the token, for private links and domains of one's own: "
        ".acme.example for all below it. Hugging Face's always may.",
    )
    max_calls: int = Field(default=64, ge=1, description="Most calls one caller may have under way.")
    max_waits: int = Field(default=32, ge=1, description="Most of them that may wait for an endpoint.")
    subscriptions: int | None = Field(
        default=None,
        ge=0,
        description="Most resources one caller may watch for changes; 0 for none. Default: 20, over HTTP none.",
    )

    @model_validator(mode="after")
    def _simulated_hardware_needs_the_plane(self) -> Self:
        for name in ("simulated", "simulated_speed"):
            if name in self.model_fields_set and not self.local:
                flag = f"--{name.replace('_', '-')}"
                raise PydanticCustomError("needs_local", "{flag} needs --local.", {"flag": flag})
        return self


class ServeSettings(ServerSettings):
    """Serve MCP over streamable HTTP, at /mcp, for several hosts at once.

    Any address but this machine's own needs --api-key-file and --allowed-hosts.
    """

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp serve")

    http: bool = Field(default=False, description="Over streamable HTTP; without it, over stdio.")
    host: str = Field(default="127.0.0.1", description="Address to listen at.")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen at; 0 takes any that is free.")
    api_key_file: Path | None = Field(
        default=None, description="File with the key callers show as `Authorization: Bearer …`."
    )
    allowed_hosts: str = Field(default="", description="Names this server is reached by, separated by commas.")


class ControlPlaneSettings(PlaneSettings):
    """Run the embedded control plane in the foreground: the REST API of Inference Endpoints, on this machine.

    `control-plane stop` ends the one that runs on the data folder.
    """

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp control-plane")

    port: int | None = Field(default=None, ge=0, le=65_535, description="Port on loopback. Default: the one it had.")
    linger: float | None = Field(default=None, ge=0, description="End after so many seconds unused. Default: never.")
    json_: bool = Field(
        default=False,
        validation_alias=AliasChoices("json"),
        description="Print one line of JSON once it is ready: url, namespace, token_file.",
    )


class DemoSettings(Settings):
    """Deploy a real model on this machine through an assistant's tool calls: wait, chat, pause, wake, delete."""

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp demo")

    json_: bool = Field(
        default=False, validation_alias=AliasChoices("json"), description="Print one JSON object at the end."
    )


class DoctorSettings(ServerSettings):
    """Show what is configured, what can be reached, and what is missing."""

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp doctor")

    live: bool = Field(default=False, description="Walk the real API of Hugging Face, with reads only.")


def _otherwise(settings: ServerSettings) -> dict[str, tuple[str, ...]]:
    """The limits that hold unless others are set: an assistant has no business in the rest of the disk."""
    if not settings.local:
        return {}
    import tempfile

    return {"model_folders": ("~", ".", tempfile.gettempdir())}


def limits_of(settings: ServerSettings) -> Limits:
    """The limits that flags and variables set, before those of the policy file. Raises `LimitsError`."""
    given = settings.model_dump(include=set(Limits.model_fields) & settings.model_fields_set)
    return Limits(**_otherwise(settings) | (read_limits(settings.policy) if settings.policy else {}) | given)


class _Help(RawDescriptionHelpFormatter):
    """Tells a default only where it says something."""

    def _get_help_string(self, action: Action) -> str | None:
        return re.sub(r" \(default: (None|False|\(\)|)\)$", "", action.help or "")


def parse(kind: type[Chosen], words: list[str]) -> Chosen:
    """Settings from flags, then variables, then defaults. Ends the process with a plain sentence on a wrong one."""
    try:
        return CliApp.run(kind, cli_args=words, cli_settings_source=CliSettingsSource(kind, formatter_class=_Help))
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            flag = "-".join(str(part) for part in problem["loc"]).replace("_", "-")
            print(f"--{flag}: {problem['msg']}" if flag else problem["msg"], file=sys.stderr)
        raise SystemExit(2) from None
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
