"""The settings of `serve --http`: where it listens, who may call, and what it shows of itself."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.cli.settings.values import (
    validate_address,
    validate_broker,
    validate_names,
    validate_networks,
)
from inference_endpoints_mcp.policy.limits import CommaSeparated
from inference_endpoints_mcp.policy.owned_limits import flag
from inference_endpoints_mcp.server.observability.json_log import LogFormat


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
    caller_tokens: bool = Field(
        default=False,
        description="Each caller acts with a Hugging Face token of its own, which it sends in the header X-HF-Token, "
        "and none with yours. Without this flag that header is refused.",
    )
    max_accounts: int = Field(
        default=128,
        ge=2,
        description="With --caller-tokens: most pairs of a caller and a token that are served at the same time. One "
        "caller has at most half of them.",
    )
    allow_local_users: bool = Field(
        default=False, description="Without a key, let every user of this machine act with your token."
    )
    allowed_hosts: Annotated[CommaSeparated, AfterValidator(validate_names)] = Field(
        default=(), description="Host names of this server: mcp.acme.example, or with a port."
    )
    trusted_proxies: Annotated[CommaSeparated, AfterValidator(validate_networks)] = Field(
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
    metrics: Annotated[str, AfterValidator(validate_address)] | None = Field(
        default=None, description="Address at which Prometheus finds metrics, such as 127.0.0.1:9464. Default: none."
    )
    log_format: LogFormat = Field(
        default="text",
        description="json: after its addresses, the log on stderr is an object a line, with one for each call "
        "of a tool and the request id that the audit trail has.",
    )
    broker: Annotated[str, AfterValidator(validate_broker)] | None = Field(
        default=None,
        description="Redis or Valkey that the replicas of this server share: redis://host:6379/0, rediss:// with TLS, "
        "unix:///path. So a plan is carried out once, limits hold for all together, and one of them polls for all. "
        "Needs --sealing-keys.",
    )
    broker_password_file: Path | None = Field(
        default=None, description="Private file with the password for the broker, which its address must not hold."
    )
    sealing_keys: Path | None = Field(
        default=None,
        description="Private file of keys that all replicas have, one a line: the first one seals what is approved "
        "later, and all of them open it. Needs --broker.",
    )

    @property
    def has_key(self) -> bool:
        """Whether callers have to sign in."""
        return bool(self.keys or self.api_key_file or self.oauth_issuer)

    @model_validator(mode="after")
    def _profiles_need_callers_with_names(self) -> Self:
        if self.profiles and not (self.keys or self.oauth_issuer):
            raise PydanticCustomError("profiles", "--profiles needs callers who sign in: --keys or --oauth-issuer.")
        return self

    @model_validator(mode="after")
    def _callers_or_the_operator_have_the_token(self) -> Self:
        for name in ("token_file", "token_variable", "token_command", "local"):
            if self.caller_tokens and getattr(self, name):
                raise PydanticCustomError(
                    "caller_tokens", "{flag} and --caller-tokens exclude each other.", {"flag": flag(name)}
                )
        return self

    @model_validator(mode="after")
    def _over_http_alone(self) -> Self:
        own = type(self).model_fields.keys() - ServerSettings.model_fields.keys()
        given = [name for name in sorted(self.model_fields_set & own) if getattr(self, name)]
        if given and not self.http:
            raise PydanticCustomError("needs_http", "{flag} needs --http.", {"flag": flag(given[0])})
        return self

    @model_validator(mode="after")
    def _provider_and_resource_belong_together(self) -> Self:
        if (self.oauth_issuer is None) != (self.oauth_resource is None):
            raise PydanticCustomError("oauth", "--oauth-issuer and --oauth-resource need each other.")
        return self

    @model_validator(mode="after")
    def _replicas_share_keys_and_broker(self) -> Self:
        if (self.broker is None) != (self.sealing_keys is None):
            raise PydanticCustomError(
                "broker",
                "--broker and --sealing-keys need each other: without the broker, each replica would carry a plan out.",
            )
        if self.broker_password_file and not self.broker:
            raise PydanticCustomError("broker", "--broker-password-file needs --broker.")
        return self

    @model_validator(mode="after")
    def _socket_has_no_address(self) -> Self:
        for name in ("host", "port", "trusted_proxies"):
            if self.uds and name in self.model_fields_set:
                raise PydanticCustomError("no_address", "{flag} has no meaning with --uds.", {"flag": flag(name)})
        return self
