"""The specification of a tool. Annotations, filters and manifests are derived from it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.effects import asked_when

if TYPE_CHECKING:
    from inference_endpoints.transport.operations import Operation

ToolFunction = Callable[..., Awaitable[Any]]


class Toolset(StrEnum):
    LIFECYCLE = "lifecycle"
    INFERENCE = "inference"
    CATALOG = "catalog"
    OBSERVE = "observe"
    ACCOUNT = "account"


@dataclass(frozen=True)
class ToolSpec:
    """One tool: a typed function, its toolset, the worst effect of its operation, further effects that it can have,
    and whether it may take minutes.

    Only a tool of the app has `shows`: the tools whose answers it has in another form. Policy must allow those.
    """

    fn: ToolFunction
    title: str
    toolset: Toolset
    effect: Effect
    further: frozenset[Effect] = frozenset()
    waits: bool = False
    shows: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.fn.__name__

    @property
    def description(self) -> str:
        """The function's own, and when a person is asked first."""
        text = " ".join((self.fn.__doc__ or "").split())
        return text if self.effect is Effect.READS else f"{text} {asked_when({self.effect, *self.further})}"

    @property
    def annotations(self) -> dict[str, bool | str]:
        """The MCP tool annotations, by their wire names.

        All tools but the calls of an endpoint are idempotent: a change that is already made succeeds and does nothing.
        """
        return {
            "title": self.title,
            "readOnlyHint": self.effect is Effect.READS,
            "destructiveHint": self.effect in {Effect.DISRUPTS, Effect.DESTROYS},
            "idempotentHint": self.toolset is not Toolset.INFERENCE,
            "openWorldHint": True,
        }


def tool(
    *,
    uses: "Operation[Any] | Effect",
    toolset: Toolset,
    title: str,
    further: Iterable[Effect] = (),
    waits: bool = False,
    shows: tuple[str, ...] = (),
) -> Callable[[ToolFunction], ToolSpec]:
    """Make a tool of a function. `uses` is its main operation, or its effect where it has none; `further` are effects
    that only some of its calls have."""
    effect = uses if isinstance(uses, Effect) else uses.effect

    def make(fn: ToolFunction) -> ToolSpec:
        return ToolSpec(fn, title, toolset, effect, frozenset(further), waits, shows)

    return make
