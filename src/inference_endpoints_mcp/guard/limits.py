"""What the operator allows, as settings: from flags, variables or one TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from inference_endpoints.operations import Effect


class LimitsError(ValueError):
    """The operator's file says something that cannot be."""


def _items(value: Any) -> Any:
    """Flags, variables and headers give lists as text, with commas."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_items)]


class Limits(BaseModel):
    """Everything is allowed that nothing here forbids; an empty list forbids nothing. Prices are in USD per hour.

    Patterns are globs: `hardware = ["aws-*-l4-*"]`, `repositories = ["acme/*"]`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    read_only: bool = Field(default=False, description="Hide and refuse everything that could change something.")
    toolsets: Listed = Field(default=(), description="Only tools of these toolsets.")
    tools: Listed = Field(default=(), description="Only these tools.")
    namespaces: Listed = Field(default=(), description="Only these namespaces, reading included.")
    hardware: Listed = Field(default=(), description="Only hardware whose id matches one of these patterns.")
    repositories: Listed = Field(default=(), description="Only models whose id matches one of these patterns.")
    types: Listed = Field(default=(), description="Only endpoints of these access types.")
    max_replicas: int | None = Field(default=None, ge=1, description="Most replicas one endpoint may scale to.")
    no_always_on: bool = Field(default=False, description="Accelerators must be able to scale to zero.")
    max_price_per_hour: float | None = Field(
        default=None, gt=0, description="Most that one namespace may cost, with what runs already."
    )
    max_total_price_per_hour: float | None = Field(
        default=None, gt=0, description="Most that all namespaces together may cost."
    )
    budget: Literal["off", "warn", "enforce"] = Field(
        default="enforce", description="Whether ceilings on prices hold, warn in the log and audit trail, or are off."
    )
    wake: bool = Field(default=True, description="Whether calling may wake an endpoint that is scaled to zero.")

    def allows(self, effect: Effect) -> bool:
        """Whether anything with this worst-case effect may be offered at all."""
        return effect is Effect.READS or not self.read_only

    def offers(self, tool: str, toolset: str, effect: Effect) -> bool:
        """Whether this tool may be listed and called."""
        named = (not self.tools or tool in self.tools) and (not self.toolsets or toolset in self.toolsets)
        return named and self.allows(effect)


def read_limits(path: Path) -> dict[str, Any]:
    """The settings of a policy file. Raises `LimitsError` with the line or key that is wrong."""
    try:
        settings = tomllib.loads(path.read_text("utf-8"))
        return Limits.model_validate(settings).model_dump(include=set(settings))
    except OSError as error:
        raise LimitsError(f"The policy file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LimitsError(f"The policy file {path} is not TOML: {error}.") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise LimitsError(f"The policy file {path} is wrong: {problems}.") from error
