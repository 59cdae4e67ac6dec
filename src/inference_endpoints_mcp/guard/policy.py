"""What the operator allows, asked before every send. No caller can widen it."""

from dataclasses import dataclass

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import Refused
from inference_endpoints.http import EndpointCall
from inference_endpoints.listing import HardwareListing
from inference_endpoints.operations import Effect, Request
from inference_endpoints_mcp.guard.ceiling import BY_OPERATOR, PriceCeiling


@dataclass(frozen=True)
class Limits:
    """The operator's settings. `max_price_per_hour` is in USD, over everything that runs in a namespace."""

    read_only: bool = False
    max_price_per_hour: float | None = None

    def allows(self, effect: Effect) -> bool:
        """Whether anything with this worst-case effect may be offered at all."""
        return effect is Effect.READS or not self.read_only


class Policy:
    """Holds the limits at the two sends of the model layer, so that no tool, prompt or resource gets round them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._ceiling: PriceCeiling | None = None

    def watch_prices(self, client: AsyncEndpointsClient, listing: HardwareListing) -> None:
        """Hold the ceiling, if there is one, against what this client reads."""
        if self.limits.max_price_per_hour is not None:
            self._ceiling = PriceCeiling(self.limits.max_price_per_hour, client, listing)

    async def control(self, request: Request) -> None:
        """Raises `Refused` if this operation may not be sent."""
        if request.operation.effect is Effect.READS:
            return
        self.check(request.operation.effect)
        if self._ceiling is not None:
            await self._ceiling.check(request)

    async def call(self, call: EndpointCall) -> None:
        """Raises `Refused` if this call may not be made: one that wakes an endpoint has it billed."""
        if call.effect is Effect.READS:
            return
        self.check(call.effect)
        if self._ceiling is not None:
            await self._ceiling.check_wake(call)

    def check(self, effect: Effect) -> None:
        """Raises `Refused` if nothing with this effect is allowed."""
        if not self.limits.allows(effect):
            raise Refused("This server is read-only: nothing was changed.", hint=f"{BY_OPERATOR} (--read-only).")
