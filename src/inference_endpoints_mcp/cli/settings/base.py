"""What all settings have in common: how a command reads them, and how it tells what is wrong with one."""

import re
import sys
from argparse import Action, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from inference_endpoints_mcp.policy.owned_limits import flag

if TYPE_CHECKING:
    from inference_endpoints_local.daemon.connect import RayOptions

VARIABLE_PREFIX = "INFERENCE_ENDPOINTS_"


SettingsT = TypeVar("SettingsT", bound="CommandSettings")


class _Variables(EnvSettingsSource):
    """The settings in environment variables, without those that are flags only."""

    def __call__(self) -> dict[str, Any]:
        without: frozenset[str] = getattr(self.settings_cls, "flags_only", frozenset())
        return {name: value for name, value in super().__call__().items() if name not in without}


class CommandSettings(BaseSettings):
    """How every command reads its settings."""

    reads_variables: ClassVar[bool] = True
    flags_only: ClassVar[frozenset[str]] = frozenset()
    """Settings that no variable sets: several commands have one of this name, and mean different things by it."""

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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, _Variables(settings_cls)) if cls.reads_variables else (init_settings,)


class DataFolderSettings(CommandSettings):
    """The data folder of the embedded control plane. `control-plane stop` needs nothing else."""

    data_dir: Path | None = Field(
        default=None,
        description="Folder for the embedded plane, plan tokens, and what is learnt of how long hosts wait. "
        "Default: the application data of the user (`doctor` shows where).",
    )

    @property
    def folder(self) -> Path:
        from inference_endpoints_local.daemon.default_folder import default_data_dir

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

    engine: Literal["process", "ray"] = Field(
        default="process", description="Where the embedded control plane runs models: on this machine, or on Ray."
    )
    ray_address: str | None = Field(
        default=None, description="With --engine ray: the REST API of the cluster's head, http://host:8265."
    )
    ray_token_file: Path | None = Field(default=None, description="File with the token of the Ray cluster.")
    ray_prices: Path | None = Field(
        default=None, description="TOML file with the operator's names and prices of the cluster's hardware."
    )
    ray_start: bool = Field(
        default=False, description="With --engine ray: start a cluster of one node here, which ends with the plane."
    )
    ray_allow_open: bool = Field(
        default=False, description="Also use a Ray cluster that answers without a token: whoever reaches it runs code."
    )

    @model_validator(mode="after")
    def _one_cluster(self) -> Self:
        given = [name for name in self.model_fields_set if name.startswith("ray_") and getattr(self, name)]
        if given and self.engine != "ray":
            raise PydanticCustomError("needs_ray", "{flag} needs --engine ray.", {"flag": flag(min(given))})
        if self.engine == "ray" and (self.ray_address is None) != self.ray_start:
            raise PydanticCustomError("one_cluster", "--engine ray needs either --ray-address or --ray-start.")
        return self

    @property
    def ray(self) -> "RayOptions | None":
        """The cluster, for a process with another working folder."""
        from inference_endpoints_local.daemon.connect import RayOptions

        if self.engine != "ray":
            return None
        files = self.ray_token_file, self.ray_prices
        token, prices = (str(path.expanduser().absolute()) if path else "" for path in files)
        return RayOptions(self.ray_address or "", token, prices, self.ray_allow_open, self.ray_start)


VALUE_WORDS = {"Path": "PATH", "int": "N", "float": "NUMBER", "str": "TEXT"}
"""What stands for a value in the help, by its type; all other types are lists, or show their choices."""


class _HelpFormatter(RawDescriptionHelpFormatter):
    """Shows words for values, not types of Python, and leaves out empty defaults."""

    def _metavar_formatter(self, action: Action, default_metavar: str) -> Callable[[int], tuple[str, ...]]:
        if action.metavar is None:
            return super()._metavar_formatter(action, default_metavar)
        kind = str(action.metavar)
        word = VALUE_WORDS.get(kind, "LIST") if kind.isidentifier() and action.option_strings else kind
        return lambda count: (word,) * count

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
