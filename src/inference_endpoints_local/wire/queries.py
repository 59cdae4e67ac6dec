"""The query parameters of requests. Unknown parameters are ignored."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request

from inference_endpoints_local.wire.parsing import ModelT, parse_as
from inference_endpoints_local.wire.requests import Moment

DEFAULT_PAGE = 20  # the service's default; the largest page is not published
MAX_PAGE = 100
DEFAULT_LOG_PAGE, MAX_LOG_PAGE = 1_000, 5_000  # the service's OpenAPI document


def _digits(text: Any) -> Any:
    """Digits alone: Python would also accept ` 1_0 `."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("expected a whole number of at most nine digits")
    return int(text)


_whole = BeforeValidator(_digits)


def _boolean(text: Any) -> Any:
    """As the API spells it: pydantic would also accept `yes` and `1`."""
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


_MAX_NUMBER = 999_999_999
Number = Annotated[int, Field(ge=0, le=_MAX_NUMBER), _whole]
CommaSeparated = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda text: tuple(part for part in text.split(",") if part)),
    WithJsonSchema({"type": "string"}),
]
Unset = SkipJsonSchema[None]
LogCursor = Annotated[str, Field(pattern=r"^([0-9a-f]{1,12})?$")]
"""The milliseconds of an entry's time, since 1970, as a hexadecimal number."""


class Query(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SearchQuery(Query):
    """Which endpoints to find; `tags` are separated by commas."""

    search: str = ""
    tags: str = ""
    limit: Number = DEFAULT_PAGE


class EndpointsQuery(SearchQuery):
    """Which endpoints to list, and in which order. `type`, `task` and `state` are lists, separated by commas."""

    model_config = ConfigDict(alias_generator=to_camel)

    cursor: Annotated[str, Field(pattern=r"^((after|before)~[a-z0-9-]{1,32}~[a-z0-9]{1,32})?$")] = ""
    type: CommaSeparated = ()
    task: CommaSeparated = ()
    state: CommaSeparated = ()
    sort_by: Literal["createdAt", "updatedAt", "name"] = "createdAt"
    direction: Literal["asc", "desc"] = "desc"


class AuditLogQuery(Query):
    """Which events: of one endpoint, or by one user."""

    endpoint: str | Unset = None
    username: str | Unset = None
    cursor: Annotated[str, Field(pattern=r"^((before|after)-[0-9]{1,18})?$")] = ""
    limit: Annotated[int, Field(ge=1, le=_MAX_NUMBER), _whole] = DEFAULT_PAGE


class _LogLinesQuery(Query):
    """Of one replica alone, each line cut to `line_max_length` characters."""

    replica: str | Unset = None
    line_max_length: Number | Unset = None


class LogQuery(_LogLinesQuery):
    """Which entries of a log: of this level, with this text, between these times. Case is ignored."""

    level: str | Unset = None
    search: str = ""
    since: Moment | Unset = None
    until: Moment | Unset = None


class LogPageQuery(LogQuery):
    """A page of entries. `order` shows which are left out beyond `limit`: the oldest (desc) or the newest (asc)."""

    after: LogCursor = ""
    before: LogCursor = ""
    order: Annotated[str, Field(pattern=r"^(asc|desc)$")] = "desc"
    limit: Annotated[int, Field(ge=1, le=_MAX_NUMBER), _whole] = DEFAULT_LOG_PAGE


class FollowLogsQuery(_LogLinesQuery):
    """The newest `tail` entries, then each new one."""

    level: str | Unset = None
    search: str = ""
    since: Moment | Unset = None
    after: LogCursor = ""
    tail: Number | Unset = None


class FollowLogsV2Query(_LogLinesQuery):
    """The newest `tail` entries, then each new one."""

    tail: Number | Unset = None


class LogsV2Query(FollowLogsV2Query):
    """With `follow` also the lines after those, until the caller closes the connection."""

    follow: Annotated[bool, BeforeValidator(_boolean)] = False


class CatalogueQuery(Query):
    """Which models of the catalogue. An unset field matches everything."""

    search: str = ""
    task: str | Unset = None
    license: str | Unset = None
    accelerator: str | Unset = None
    engine: str | Unset = None
    limit: Number | Unset = None


class ModelsQuery(Query):
    """Which models of the Hub: by a part of the name, and by the owner. The order is always the same."""

    search: str = ""
    author: str = ""
    sort: str | Unset = None
    limit: Number | Unset = None


class SuggestionQuery(Query):
    """For which model: a repository of the Hub, or the path of a GGUF file."""

    model_id: str = ""


class StopQuery(Query):
    """`idle`: only if the plane is idle."""

    when: Literal["idle"] | Unset = None


def parse_query(request: Request, kind: type[ModelT]) -> ModelT:
    """The validated query. Raises InvalidRequest."""
    return parse_as(kind, dict(request.query_params))
