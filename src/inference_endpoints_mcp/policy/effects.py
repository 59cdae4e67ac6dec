"""The one table of effects: what each covers, and how it is approved. Flags, questions, refusals, the tools'
descriptions and the table in README.md are made from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inference_endpoints.transport.effect import Effect


@dataclass(frozen=True)
class EffectRule:
    """How an effect is approved, unless the operator chose otherwise.

    `covers` is for people who configure the server, `may` completes "Asks a person if it may …" (empty: always),
    `because` completes "…, because it …", and `doing` begins "… needs a person's approval".
    """

    covers: str
    may: str
    because: str
    doing: str
    asked: bool
    needs_person: bool
    """Where the host cannot ask: refused, rather than approved by a plan's token."""


EFFECTS: Mapping[Effect, EffectRule] = {
    Effect.DESTROYS: EffectRule(
        covers="deleting",
        may="",
        because="cannot be undone",
        doing="Deleting",
        asked=True,
        needs_person=True,
    ),
    Effect.EXPOSES: EffectRule(
        covers="letting more people call an endpoint; giving it a secret; changing the model, image, command, "
        "arguments or variables of one that has secrets; its domain, network or private link",
        may="expose access or secrets",
        because="opens the endpoint or its secrets to others",
        doing="Exposing an endpoint or its secrets",
        asked=True,
        needs_person=True,
    ),
    Effect.SPENDS: EffectRule(
        covers="what may cost more, including a call that wakes an endpoint",
        may="cost more",
        because="may cost more",
        doing="Spending",
        asked=True,
        needs_person=False,
    ),
    Effect.DISRUPTS: EffectRule(
        covers="pausing, scaling to zero, and any other update",
        may="interrupt",
        because="interrupts the endpoint",
        doing="Interrupting an endpoint",
        asked=False,
        needs_person=False,
    ),
}
"""By what may need approval, the gravest first. Pausing and the like cost nothing and are undone by one call: a person
asked about each of them soon approves without reading."""

ASKED_BY_DEFAULT = frozenset(effect for effect, rule in EFFECTS.items() if rule.asked)


def gravest_first(effects: Iterable[Effect]) -> list[Effect]:
    """These effects in the order of the table, those that need no approval left out."""
    wanted = frozenset(effects)
    return [effect for effect in EFFECTS if effect in wanted]


def asked_when(effects: Iterable[Effect]) -> str:
    """When a person is asked about a change with these possible effects, as a sentence for a tool's description."""
    asked = [EFFECTS[effect].may for effect in gravest_first(effects) if EFFECTS[effect].asked]
    if not asked:
        return "Asks nobody."
    return f"Asks a person if it may {' or '.join(asked)}." if all(asked) else "Asks a person first."


def reasons(effects: Iterable[Effect]) -> str:
    """The reasons to ask about these effects: `may cost more and opens …`."""
    return " and ".join(EFFECTS[effect].because for effect in gravest_first(effects))
