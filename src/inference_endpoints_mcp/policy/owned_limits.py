"""Limits with who set them, so that a refusal names who can change them."""

from collections.abc import Callable
from dataclasses import dataclass

from inference_endpoints.errors import Refused
from inference_endpoints_mcp.policy.limits import Limits

HEADER_PREFIX = "X-Endpoints-"


@dataclass(frozen=True)
class OwnedLimits:
    """Limits, and who set them. `setting_name` returns the name of the setting for a rule."""

    limits: Limits
    owner: str
    setting_name: Callable[[str], str]

    @classmethod
    def of_operator(cls, limits: Limits) -> "OwnedLimits":
        return cls(limits, "the operator of this server", flag)

    @classmethod
    def of_caller(cls, limits: Limits) -> "OwnedLimits":
        return cls(limits, "whoever configured this connection", header_name)

    def refuse(self, rule: str, reason: str) -> Refused:
        """The error that names the rule and who can change it."""
        hint = f"Only {self.owner} can change that ({self.setting_name(rule)})."
        return Refused(f"{reason}: nothing was changed.", hint=hint)


def flag(rule: str) -> str:
    """The rule as a flag of the command: `--max-replicas`, `--no-wake`."""
    return f"--{rule.replace('_', '-')}"


def header_name(rule: str) -> str:
    """The rule as a header of a caller: `X-Endpoints-Max-Replicas`."""
    return HEADER_PREFIX + rule.replace("_", "-").title()
