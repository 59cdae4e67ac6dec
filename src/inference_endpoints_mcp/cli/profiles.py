"""The file of `serve --http --profiles`: a table for each profile, with the names of the flags as keys."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, create_model

from inference_endpoints_mcp.cli.settings.serve import ServeSettings
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.policy.limits import CommaSeparated, Limits

_OTHER_SETTINGS = {
    name: ServerSettings.model_fields[name]
    for name in (
        "namespace",
        "token_file",
        "token_variable",
        "token_command",
        "confirm",
        "confirm_effects",
        "confirm_above",
        "answer_within",
        "lend",
        "lend_file",
        "hold",
        "max_calls",
        "max_waits",
        "subscriptions",
    )
}
"""What a profile may set beside limits. The other flags are of the whole server."""

_OF_CALLERS = "caller_tokens"
_TOKEN_SOURCES = {"token_file": None, "token_variable": None, "token_command": None, _OF_CALLERS: False}
"""Where the token comes from: one that a profile names replaces that of the flags."""

_groups = Field(default=(), description="Groups of the identity provider that have this profile.")
_OTHER_SETTINGS[_OF_CALLERS] = ServeSettings.model_fields[_OF_CALLERS]
_fields: Any = {name: (field.annotation, field) for name, field in _OTHER_SETTINGS.items()}
_Table: Any = create_model("_Table", __base__=Limits, groups=(CommaSeparated, _groups), **_fields)


class ProfilesError(ValueError):
    """The file of profiles cannot be read, or a setting in it is not valid."""


@dataclass(frozen=True)
class Profile:
    """The flags of the server with those of a profile instead, and the groups that have it."""

    settings: ServeSettings
    groups: tuple[str, ...]


def read_profiles(path: Path, settings: ServeSettings) -> dict[str, Profile]:
    """The profiles by name. Flags are the defaults of all. Raises `ProfilesError` with the setting that is wrong."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ProfilesError(f"{path} (--profiles) cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfilesError(f"{path} (--profiles) is not TOML: {error}.") from error
    if not tables:
        raise ProfilesError(f"{path} (--profiles) has no profile: each is a table, such as [readers].")
    return {name: _profile(name, table, settings) for name, table in tables.items()}


def _profile(name: str, table: Any, settings: ServeSettings) -> Profile:
    if not isinstance(table, dict):
        raise ProfilesError(f"{name} stands outside of a profile: each profile is a table, such as [readers].")
    try:
        read: Any = _Table.model_validate({key.replace("-", "_"): value for key, value in table.items()})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        setting = ".".join(map(str, problem["loc"]))
        raise ProfilesError(f"In the profile {name}, {setting}: {problem['msg']}.") from None
    given = {field: getattr(read, field) for field in read.model_fields_set - {"groups"}}
    sources = {field for field in given.keys() & _TOKEN_SOURCES.keys() if given[field]}
    if len(sources) > 1:
        raise ProfilesError(f"The profile {name} has more than one source of its token.")
    if sources == {_OF_CALLERS} and settings.local:
        raise ProfilesError(f"In the profile {name}, caller_tokens: not with --local, which has a token of its own.")
    if sources:
        given = _TOKEN_SOURCES | given
    return Profile(settings.model_copy(update=given), read.groups)
