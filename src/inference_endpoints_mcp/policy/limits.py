"""What the operator allows, as settings: from flags, variables or one TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from typing_extensions import TypeAliasType

from inference_endpoints.transport.effect import Effect

TOTAL_PRICE_LIMIT = "max_total_price_per_hour"


class LimitsError(ValueError):
    """The policy file, or a limit in it, is not valid."""


def split_list(value: Any) -> Any:
    """Flags, variables and headers give lists as text, with commas."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


# Aliases with a name: it is what --help shows.
CommaSeparated = TypeAliasType("CommaSeparated", Annotated[tuple[str, ...], BeforeValidator(split_list)])
AccessTypes = TypeAliasType(
    "AccessTypes", Annotated[tuple[Literal["public", "authenticated", "private"], ...], BeforeValidator(split_list)]
)


class Limits(BaseModel):
    """Everything is allowed unless a field forbids it; an empty list forbids nothing. Prices are in USD per hour.

    Patterns are globs: `hardware = ["aws-*-l4-*"]`, `repositories = ["acme/*"]`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    read_only: bool = Field(default=False, description="Hide and refuse everything that could change something.")
    toolsets: CommaSeparated = Field(default=(), description="Only tools of these toolsets.")
    tools: CommaSeparated = Field(default=(), description="Only these tools.")
    namespaces: CommaSeparated = Field(default=(), description="Only these namespaces, reading included.")
    hardware: CommaSeparated = Field(default=(), description="Only hardware whose id matches one of these patterns.")
    repositories: CommaSeparated = Field(
        default=(),
        description="Only models whose id matches one of these patterns. Containers, commands, arguments and variables "
        "that could run another model are refused.",
    )
    images: CommaSeparated = Field(
        default=(),
        description="Only containers whose URL matches one of these patterns, and the service's own: ghcr.io/acme/*, "
        "docker.io/acme/*.",
    )
    model_folders: CommaSeparated = Field(
        default=(),
        description="Only model files in these folders. Default with --local: the home folder, the current folder and "
        "the temporary folder.",
    )
    types: AccessTypes = Field(
        default=(), description="Only endpoints of these types of access: public, authenticated, private."
    )
    max_replicas: int | None = Field(default=None, ge=1, description="Most replicas one endpoint may scale to.")
    no_always_on: bool = Field(default=False, description="Accelerators must be able to scale to zero.")
    max_price_per_hour: float | None = Field(
        default=None, gt=0, description="Highest price per hour of one namespace, running endpoints included."
    )
    max_total_price_per_hour: float | None = Field(
        default=None, gt=0, description="Highest price per hour of all namespaces together."
    )
    budget: Literal["off", "warn", "enforce"] = Field(
        default="enforce",
        description="What a price limit does: enforce refuses, warn writes to the log and the audit trail, "
        "off ignores it.",
    )
    no_wake: bool = Field(default=False, description="Calling may not wake an endpoint that is scaled to zero.")

    def allows(self, effect: Effect) -> bool:
        """Whether anything with this worst-case effect may be offered at all."""
        return effect is Effect.READS or not self.read_only

    def forbids(self, tool: str, toolset: str, effect: Effect) -> str | None:
        """The rule by which this tool may be neither listed nor called, None if it may."""
        if not self.allows(effect):
            return "read_only"
        if self.toolsets and toolset not in self.toolsets:
            return "toolsets"
        return "tools" if self.tools and tool not in self.tools else None

    @property
    def price_limits(self) -> dict[str, float]:
        """The price limits that are set and not off, by their rules."""
        limits = {
            rule: getattr(self, rule) for rule in ("max_price_per_hour", TOTAL_PRICE_LIMIT) if self.budget != "off"
        }
        return {rule: limit for rule, limit in limits.items() if limit is not None}


def read_limits(path: Path) -> dict[str, Any]:
    """The settings of a policy file. Raises `LimitsError` with the line or key that is wrong."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
        settings = {name.replace("-", "_"): value for name, value in given.items()}
        return Limits.model_validate(settings).model_dump(include=set(settings))
    except OSError as error:
        raise LimitsError(f"The policy file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LimitsError(f"The policy file {path} is not TOML: {error}.") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: "
            + ("there is no such setting" if problem["type"] == "extra_forbidden" else problem["msg"])
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise LimitsError(f"The policy file {path} is wrong: {problems}.") from error
