"""What a person must approve before anything is destroyed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint
from inference_endpoints_mcp.guard.fence import line


class Confirm(StrEnum):
    """How deletions are approved. `ELICIT` asks a person through the host; `OFF` asks nobody."""

    ELICIT = "elicit"
    OFF = "off"


class TypedName(BaseModel):
    """The form a person fills in. What a host sends instead of a name is one that matches nothing."""

    name: Annotated[str, BeforeValidator(str)] = Field(
        default="", title="Endpoint name", description="Type the endpoint's name to delete it."
    )


@dataclass(frozen=True)
class Approval:
    """A person's answer about one endpoint, which its `identity` tells from a later one of the same name."""

    given: bool
    identity: str

    def check(self, current: Endpoint) -> None:
        """Raises `Refused` unless deleting this very endpoint was approved."""
        if not self.given:
            raise Refused("The deletion was not approved: nothing was deleted.", hint="Ask the user what they want.")
        if self.identity != current.identity:
            raise Refused(
                "The endpoint was replaced by another of the same name meanwhile: nothing was deleted.",
                hint="Look at it, and ask again.",
            )


def deletion_question(endpoint: Endpoint, namespace: str) -> str:
    """What the person is asked. Only what stays the same between two rounds, so that one answer holds."""
    return (
        f"Delete endpoint {namespace}/{endpoint.name}? It runs {line(endpoint.model.repository, 100)} on "
        f"{endpoint.hardware}, created {endpoint.identity}. This cannot be undone."
    )


def cannot_ask() -> Refused:
    return Refused(
        "Deleting needs a person's approval, and this host cannot ask for it: nothing was deleted.",
        hint="Pausing stops the billing as well. The operator of this server can allow deleting without "
        "approval (--confirm off).",
    )
