"""What pausing, resuming and scaling to zero have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_endpoints.deploy.plan import plan_step
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport.operations import Effect, Operation
from inference_endpoints_mcp.tools.approved_change import Step, proposal_of
from inference_endpoints_mcp.tools.context import CallScope
from inference_endpoints_mcp.tools.outputs import EndpointAnswer, NextCall, billing_from_now, call_of, facts_of

_SETTLED = {Status.RUNNING, Status.UPDATE_FAILED}


@dataclass(frozen=True)
class StateChange:
    """One operation without arguments: `done` are the states in which there is nothing to do."""

    operation: Operation[Any]
    send: Callable[[str, str], Awaitable[Endpoint]]
    done: set[Status]
    told: str
    follow: Callable[[Endpoint, str], NextCall]

    async def propose(
        self, call: CallScope, endpoint_name: str, namespace: str, dry_run: bool
    ) -> Step | EndpointAnswer:
        namespace, name = await call.target(endpoint_name, namespace)
        current = await call.endpoints.get(name, namespace)
        done = current.state in self.done
        if done and not dry_run:
            return await self._answer(call, current, namespace, changed=False)
        plan = plan_step(self.operation, current, namespace, await call.listing.vendors(namespace))
        proposal = proposal_of(call, plan, namespace, name, current)
        already = [f"It already is {current.state.value}: nothing would be sent."] if done else []
        return Step(
            proposal=proposal.warning(*already),
            preview=EndpointAnswer(**await priced_facts(call, current, namespace), changed=False),
            act=partial(self._act, call, namespace, name),
            dry_run=dry_run,
        )

    async def _act(self, call: CallScope, namespace: str, name: str) -> EndpointAnswer:
        changed = await self.send(name, namespace)
        call.changed(namespace, changed)
        return await self._answer(call, changed, namespace, changed=True)

    async def _answer(self, call: CallScope, endpoint: Endpoint, namespace: str, *, changed: bool) -> EndpointAnswer:
        facts, told = await priced_facts(call, endpoint, namespace), self.told
        if self.operation.effect is Effect.SPENDS:
            told = f"{told} {billing_from_now(facts['backend'], facts['price_per_hour_usd'])}"
        return EndpointAnswer(
            **facts,
            changed=changed,
            now=told if changed else f"It already is {endpoint.state.value}: nothing was sent.",
            next=[self.follow(endpoint, namespace)] if changed or endpoint.state not in _SETTLED else [],
        )


def call_with(tool: str, endpoint: Endpoint, namespace: str) -> NextCall:
    return call_of(tool, namespace, endpoint.name)


async def priced_facts(call: CallScope, endpoint: Endpoint, namespace: str) -> dict[str, Any]:
    prices = await call.listing.prices(namespace)
    return facts_of(endpoint, namespace, prices, call.endpoints.backend.name)
