"""One operation on one endpoint or on several: proposed for each, approved together, and reported for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inference_endpoints.deploy.plan import Plan
from inference_endpoints.errors import BadRequest, InferenceEndpointError, NotFound
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints_mcp.approval.proposal import Proposal, ProposedSet
from inference_endpoints_mcp.privacy.answer_text import LONGEST_OF_OURS
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.approved_change import ProposedChange, carry_out
from inference_endpoints_mcp.tools.call_context import CallContext, Progress
from inference_endpoints_mcp.tools.lifecycle.choice import Choice, Target
from inference_endpoints_mcp.tools.outputs import (
    BackendName,
    EndpointOutcome,
    EndpointOutput,
    NextCall,
    backend_of,
    fit_rows,
    merge_equal_rows,
    state_word,
)

MOST_SENT_AT_ONCE = 4
MAX_CHANGES_SHOWN, MAX_NAMED = 5, 5

ProposeOne = Callable[[Target], Awaitable[ProposedChange | EndpointOutput]]
"""Proposes the change of one endpoint; an output where there is nothing to do."""


@dataclass(frozen=True)
class SummaryWords:
    """How a change of several is told: `done` completes "3 endpoints …", `follow_up` is a tool for those changed."""

    done: str
    follow_up: str = ""


async def carry_out_on(
    call: CallContext, choice: Choice, propose: ProposeOne, words: SummaryWords, *, dry_run: bool, plan_token: str
) -> EndpointOutput:
    """Change what the call means, with the approval it needs; or show the plan. Raises as `carry_out` does."""
    several = choice.is_several

    async def propose_now() -> ProposedChange | EndpointOutput:
        if several:
            return await _ChangeSet(call, choice, propose, words).propose()
        return await propose(await choice.find_one(call))

    return await carry_out(call, propose_now, dry_run=dry_run, plan_token=plan_token)


@dataclass(frozen=True)
class _MemberChange:
    """An endpoint of a set, and what is proposed for it: a change, nothing to do, or why it is not possible."""

    target: Target
    proposed: ProposedChange | EndpointOutput | InferenceEndpointError


@dataclass(frozen=True)
class _ChangeSet:
    call: CallContext
    choice: Choice
    propose_one: ProposeOne
    words: SummaryWords

    async def propose(self) -> ProposedChange | EndpointOutput:
        """The set as one change; an output where nothing is to do. Raises the first error if there is nothing else."""
        chosen = await self.choice.find_all(self.call)
        members = [
            _MemberChange(*each) for each in zip(chosen.targets, await self._propose_each(chosen.targets), strict=True)
        ]
        missing = [each.target for each in members if isinstance(each.proposed, NotFound)]
        if missing:
            named = ", ".join(f"{target.namespace}/{target.name}" for target in missing[:MAX_NAMED])
            raise NotFound(
                f"{len(missing)} of the names do not exist ({named}): nothing was done.",
                hint=" ".join(dict.fromkeys(target.similar for target in missing[:MAX_NAMED])),
            )
        changes = [each for each in members if isinstance(each.proposed, ProposedChange)]
        rows = [_row(each) for each in members]
        shown = merge_equal_rows(rows)
        if len(fit_rows(shown)) < len(shown):
            raise BadRequest("These are too many to show at once: nothing was done.", hint="Narrow the choice.")
        if not changes:
            refused = [each.proposed for each in members if isinstance(each.proposed, InferenceEndpointError)]
            if refused and len(refused) == len(members):
                raise refused[0]
            now = f"None of {len(rows)} is to be changed." if rows else "No endpoint matches."
            now = f"{now} Nothing was sent. {chosen.not_covered}".strip()
            nothing = self._output(rows, now, backend_of(None, self.call.endpoints.backend.name))
            where = nothing.namespace or await self.call.resolve_namespace(self.choice.namespace)
            return nothing.model_copy(update={"namespace": where})
        proposals = [each.proposed.proposal for each in changes if isinstance(each.proposed, ProposedChange)]
        warnings = [chosen.not_covered] if chosen.not_covered else []
        together = ProposedSet(
            tuple(one.with_warnings(*warnings) for one in proposals if isinstance(one, Proposal)),
            " ".join(self.choice.where.split()),
        )
        preview = self._output(rows, "", _backend(together))
        return ProposedChange(together, preview, lambda: self._apply(members, _backend(together), chosen.not_covered))

    async def _propose_each(
        self, targets: Sequence[Target]
    ) -> list[ProposedChange | EndpointOutput | InferenceEndpointError]:
        running = asyncio.Semaphore(MOST_SENT_AT_ONCE)

        async def one(target: Target) -> ProposedChange | EndpointOutput | InferenceEndpointError:
            async with running:
                try:
                    return await self.propose_one(target)
                except InferenceEndpointError as error:
                    return error

        return list(await asyncio.gather(*map(one, targets)))

    async def _apply(self, members: Sequence[_MemberChange], backend: BackendName, not_covered: str) -> EndpointOutput:
        """Make every change, a few at a time. One that fails stops no other, and each is told."""
        running, done = asyncio.Semaphore(MOST_SENT_AT_ONCE), 0
        wanted = sum(isinstance(each.proposed, ProposedChange) for each in members)

        async def one(member: _MemberChange, progress: Progress) -> EndpointOutcome:
            nonlocal done
            if not isinstance(member.proposed, ProposedChange):
                return _row(member)
            async with running:
                try:
                    row = _row_after(member, await member.proposed.apply())
                except InferenceEndpointError as error:
                    row = _row(member).model_copy(update={"outcome": "failed", "why": _why(error)})
            done += 1
            progress.report(lambda: f"{done} of {wanted} endpoints")
            return row

        async with self.call.report_progress() as progress:
            rows = list(await asyncio.gather(*(one(member, progress) for member in members)))
        changed = [row for row in rows if row.outcome == "changed"]
        untouched = {kind: sum(row.outcome == kind for row in rows) for kind in ("failed", "refused", "unchanged")}
        parts = [f"{len(changed)} of {len(rows)} endpoints {self.words.done}"]
        parts += [f"{count} {kind}" for kind, count in untouched.items() if count]
        now = f"{'; '.join(parts)}. {_costs(rows)}"
        if untouched["failed"]:
            now += " The failed ones are as before, unless `why` says otherwise."
        now = f"{now} {not_covered}".strip()
        output = self._output(rows, now, backend)
        on_the_way = [row for row in changed if row.state and State(row.state).changing]
        follow_up = [NextCall(tool=self.words.follow_up, arguments=naming(on_the_way, output.namespace))]
        return output.model_copy(
            update={"changed": bool(changed), "next": follow_up if on_the_way and self.words.follow_up else []}
        )

    def _output(self, rows: list[EndpointOutcome], now: str, backend: BackendName) -> EndpointOutput:
        namespaces = {row.namespace or "" for row in rows}
        single = next(iter(namespaces)) if len(namespaces) == 1 else ""
        shown = [row.model_copy(update={"namespace": None}) for row in rows] if single else rows
        namespace = single or ("*" if namespaces else self.choice.namespace)
        return EndpointOutput(
            namespace=namespace, backend=backend, changed=False, endpoints=merge_equal_rows(shown), now=now
        )


def naming(rows: Sequence[EndpointOutcome], namespace: str) -> dict[str, Any]:
    """The arguments that mean these endpoints, one of each row; `namespace` is "*" where they are in several."""
    if namespace != "*":
        return {"names": [row.endpoint_names[0] for row in rows], "namespace": namespace}
    return {"names": [f"{row.namespace}/{row.endpoint_names[0]}" for row in rows]}


def _row(member: _MemberChange) -> EndpointOutcome:
    """What is planned for an endpoint, or why nothing is."""
    target, proposed = member.target, member.proposed
    row = EndpointOutcome(
        endpoint_names=[target.name],
        namespace=target.namespace,
        state=state_word(target.current) if target.current else None,
        outcome="refused",
    )
    if isinstance(proposed, InferenceEndpointError):
        return row.model_copy(update={"why": _why(proposed)})
    if isinstance(proposed, EndpointOutput):
        return row.model_copy(update={"outcome": "unchanged", "why": proposed.now})
    assert isinstance(proposed.proposal, Proposal)
    plan = proposed.proposal.plan
    costs = {"cost_now_usd": plan.cost.per_hour_now, "cost_after_usd": plan.cost.per_hour_after}
    if plan.cost.per_hour_at_most != plan.cost.per_hour_after:
        costs["cost_at_most_usd"] = plan.cost.per_hour_at_most
    return row.model_copy(update={"outcome": "planned", **costs, "changes": _changes(plan)})


def _row_after(member: _MemberChange, output: EndpointOutput) -> EndpointOutcome:
    """What was done to an endpoint: its state now."""
    outcome = "changed" if output.changed else "unchanged"
    return _row(member).model_copy(update={"outcome": outcome, "state": output.state, "why": None})


def _changes(plan: Plan) -> list[str] | None:
    """The settings that an update changes; the payload shows their values."""
    settings = [clean_line(change.setting, 80) for change in plan.changes]
    more = [f"and {len(settings) - MAX_CHANGES_SHOWN} more"] if len(settings) > MAX_CHANGES_SHOWN else []
    return [*settings[:MAX_CHANGES_SHOWN], *more] or None


def _why(error: InferenceEndpointError) -> str:
    return clean_line(f"{error.code}: {error.message} {error.hint}", LONGEST_OF_OURS)


def _costs(rows: Sequence[EndpointOutcome]) -> str:
    """What the changed ones cost before and now."""
    changed = [row for row in rows if row.outcome == "changed"]
    before, after = (
        [getattr(row, name) for row in changed if getattr(row, name) is not None]
        for name in ("cost_now_usd", "cost_after_usd")
    )
    if not changed or len(after) < len(changed):
        return ""
    return f"Together they cost ${sum(before):.2f}/h before, and ${sum(after):.2f}/h now."


def _backend(together: ProposedSet) -> BackendName:
    backends: dict[str, BackendName] = {"huggingface": "huggingface", "local": "local", "simulated": "simulated"}
    return backends[together.backend]
