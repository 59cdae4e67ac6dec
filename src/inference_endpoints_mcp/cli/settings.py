"""The operator's settings. Each is a flag, an `INFERENCE_ENDPOINTS_…` variable and a line of help."""

import ipaddress
import re
import sys
from argparse import Action, RawDescriptionHelpFormatter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    DirectoryPath,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, CliApp, CliSettingsSource, SettingsConfigDict, SettingsError
from typing_extensions import TypeAliasType

from inference_endpoints.transport.operations import Effect
from inference_endpoints_mcp.policy.effects import ASKED_BY_DEFAULT, EFFECTS, gravest_first
from inference_endpoints_mcp.policy.limits import CommaSeparated, Limits, read_limits, split_list
from inference_endpoints_mcp.policy.rules import flag

VARIABLE_PREFIX = "INFERENCE_ENDPOINTS_"


def _validate_effects(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    if Effect.READS in effects:
        raise PydanticCustomError("effects", "Reading needs no approval.")
    return effects


Effects = TypeAliasType(
    "Effects", Annotated[tuple[Effect, ...], BeforeValidator(split_list), AfterValidator(_validate_effects)]
)

SettingsT = TypeVar("SettingsT", bound="CommandSettings")


def _validate_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Each is a host or a suffix with a leading dot. Two labels at least: the token must not go to all of `.com`."""
    invalid = [host for host in hosts if not re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)+", host)]
    if invalid:
        raise PydanticCustomError(
            "hosts", "{host} is not a host. Valid are e.g. llm.acme.example or .acme.example", {"host": invalid[0]}
        )
    return hosts


def _validate_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each is what a Host header holds: a name or an address, with or without a port."""
    for name in names:
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", name):
            raise PydanticCustomError(
                "names",
                "{name} is not a host. Valid are e.g. mcp.acme.example or mcp.acme.example:8443",
                {"name": name},
            )
    return names


def _validate_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Each is an address or a network, and none is all addresses: then every caller could name itself."""
    for network in networks:
        try:
            valid = ipaddress.ip_network(network).prefixlen > 0
        except ValueError:
            valid = False
        if not valid:
            raise PydanticCustomError(
                "networks", "{network} is not an address. Valid are e.g. 10.0.0.5 or 10.0.0.0/24", {"network": network}
            )
    return networks


def _validate_address(address: str) -> str:
    """A host and a port."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise PydanticCustomError(
            "address", "{address} is not a host and a port, such as 127.0.0.1:9464", {"address": address}
        )
    return address


class CommandSettings(BaseSettings):
    """How every command reads its settings."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLE_PREFIX,
        cli_prog_name="inference-endpoints-mcp",
        env_ignore_empty=True,
        enable_decoding=False,
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_avoid_json=True,
        cli_hide_none_type=True,
        extra="ignore",
    )


class DataFolderSettings(CommandSettings):
    """The data folder of the embedded control plane. `control-plane stop` needs nothing else."""

    data_dir: Path | None = Field(
        default=None,
        description="Folder of the embedded plane, plan tokens, and how long hosts wait. Default: one of the user's.",
    )

    @property
    def folder(self) -> Path:
        from inference_endpoints_local.daemon.connect import default_data_dir

        return self.data_dir or default_data_dir()


class PlaneSettings(DataFolderSettings):
    """How an embedded control plane is started."""

    namespace: str | None = Field(default=None, description="Namespace of calls that name none. Default: your own.")
    simulated: bool = Field(
        default=False, description="Let the embedded control plane also simulate public cloud hardware and its prices."
    )
    simulated_speed: float = Field(
        default=1.0, gt=0, le=1_000, description="Speed of simulated time: 6 means six times real time."
    )


class ServerSettings(PlaneSettings, Limits):
    """An MCP server for Hugging Face Inference Endpoints, over stdio.

    Without --local it manages endpoints on Hugging Face, with the token in HF_TOKEN or the one saved by
    `hf auth login`. Further commands, each with --help: install, uninstall, serve --http, dashboard, keys,
    audit verify, demo, doctor, control-plane, control-plane stop.
    Every flag is a variable too: --data-dir is INFERENCE_ENDPOINTS_DATA_DIR. Lists are separated by commas.
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
        "model can make alone; host leaves it to the host's own dialog; off needs no approval.",
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
    media_hosts: Annotated[CommaSeparated, AfterValidator(_validate_hosts)] = Field(
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
    hold: float | None = Field(
        default=None,
        gt=0,
        description="Longest duration of one call in seconds. Default: found out for each host.",
    )
    endpoint_hosts: Annotated[CommaSeparated, AfterValidator(_validate_hosts)] = Field(
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
        for name in ("simulated", "simulated_speed"):
            if name in self.model_fields_set and not self.local:
                raise PydanticCustomError("needs_local", "{flag} needs --local.", {"flag": flag(name)})
        return self


class ServeSettings(ServerSettings):
    """Serve MCP over streamable HTTP, at /mcp, for several hosts at once.

    Calls act with your token. So on this machine it needs --keys, --api-key-file, --uds or --allow-local-users, and an
    address that other machines can reach needs a key and --allowed-hosts.
    """

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp serve")

    http: bool = Field(default=False, description="Serve over streamable HTTP. Without this flag: over stdio.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on; 0 takes any free port.")
    uds: Path | None = Field(
        default=None, description="Unix socket to listen on instead of a port. Only you can open it."
    )
    keys: Path | None = Field(
        default=None,
        description="Private file of named keys, each with its last day, read again when it changes; see "
        "`inference-endpoints-mcp keys`.",
    )
    api_key_file: Path | None = Field(
        default=None, description="Private file with the key that callers send as `Authorization: Bearer …`."
    )
    oauth_issuer: str | None = Field(
        default=None, description="Identity provider at which callers sign in, as it names itself in its metadata."
    )
    oauth_resource: str | None = Field(
        default=None, description="Address of this server as callers know it, for which their tokens must be issued."
    )
    oauth_groups_claim: str = Field(
        default="groups", description="Claim of a token that names the groups of its caller, which profiles can name."
    )
    profiles: Path | None = Field(
        default=None,
        description="TOML file of profiles: a table for each, with a token, limits and approval by the names of these "
        "flags. A key names its profile, and groups of the identity provider have one.",
    )
    allow_local_users: bool = Field(
        default=False, description="Without a key, let every user of this machine act with your token."
    )
    allowed_hosts: Annotated[CommaSeparated, AfterValidator(_validate_names)] = Field(
        default=(), description="Host names of this server: mcp.acme.example, or with a port."
    )
    trusted_proxies: Annotated[CommaSeparated, AfterValidator(_validate_networks)] = Field(
        default=(),
        description="Addresses and networks of reverse proxies whose X-Forwarded-For names the caller. From others "
        "this header is ignored.",
    )
    max_sessions: int = Field(
        default=64, ge=1, description="Most sessions that one caller can have in the older protocol (2025-11-25)."
    )
    max_connections: int = Field(
        default=2_000,
        ge=1,
        description="Most connections of all callers together, waits and streams included. One that waits for a "
        "request gives way to a new one.",
    )

    grace: int = Field(
        default=2, ge=1, description="Seconds that running calls have to end after SIGTERM. Waits answer at once."
    )
    metrics: Annotated[str, AfterValidator(_validate_address)] | None = Field(
        default=None, description="Address at which Prometheus finds metrics, such as 127.0.0.1:9464. Default: none."
    )

    @property
    def has_key(self) -> bool:
        """Whether callers have to sign in."""
        return bool(self.keys or self.api_key_file or self.oauth_issuer)

    @model_validator(mode="after")
    def _profiles_need_callers_with_names(self) -> Self:
        if self.profiles and not self.has_key:
            raise PydanticCustomError("profiles", "--profiles needs callers who sign in: --keys or --oauth-issuer.")
        return self

    @model_validator(mode="after")
    def _provider_and_resource_belong_together(self) -> Self:
        if (self.oauth_issuer is None) != (self.oauth_resource is None):
            raise PydanticCustomError("oauth", "--oauth-issuer and --oauth-resource need each other.")
        return self

    @model_validator(mode="after")
    def _socket_has_no_address(self) -> Self:
        for name in ("host", "port", "trusted_proxies"):
            if self.uds and name in self.model_fields_set:
                raise PydanticCustomError("no_address", "{flag} has no meaning with --uds.", {"flag": flag(name)})
        return self


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

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp dashboard")

    port: int = Field(default=0, ge=0, le=65_535, description="Port to listen on. Default: any free port.")
    no_browser: bool = Field(default=False, description="Only print the link; do not open a browser.")


class AuditSettings(CommandSettings):
    """Check that an audit trail is as it was written: audit verify. Its last hash, kept elsewhere, shows later that
    nothing was cut off.
    """

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp audit verify")

    audit_file: Path = Field(description="The file; those before it (.1, .2, …) are checked too.")
    expect: str | None = Field(default=None, description="A hash of a line that must be in the trail.")


class ControlPlaneSettings(PlaneSettings):
    """Run the embedded control plane in the foreground: the REST API of Inference Endpoints, on this machine.

    `control-plane stop` stops the control plane that uses the data folder.
    """

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
        description="Print one line of JSON when it is ready: url, namespace, token_file.",
    )


class DemoSettings(CommandSettings):
    """Deploy a real model on this machine through an assistant's tool calls: wait, chat, pause, wake, delete."""

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp demo")

    json_: bool = Field(
        default=False, validation_alias=AliasChoices("json"), description="Print one JSON object at the end."
    )


class DoctorSettings(ServerSettings):
    """Check what is configured, what can be reached, and what is missing."""

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


class _HelpFormatter(RawDescriptionHelpFormatter):
    """Leaves out empty defaults."""

    def _get_help_string(self, action: Action) -> str | None:
        return re.sub(r" \(default: (None|False|\(\)|)\)$", "", action.help or "")


def parse_arguments(settings_class: type[SettingsT], arguments: list[str]) -> SettingsT:
    """Settings from flags, then variables, then defaults. Ends the process with a message if one is not valid."""
    try:
        return CliApp.run(
            settings_class,
            cli_args=arguments,
            cli_settings_source=CliSettingsSource(settings_class, formatter_class=_HelpFormatter),
        )
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"])
            print(f"{flag(name)}: {problem['msg']}" if name else problem["msg"], file=sys.stderr)
        raise SystemExit(2) from None
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
