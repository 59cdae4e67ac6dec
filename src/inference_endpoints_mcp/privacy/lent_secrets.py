"""Secrets that the operator lends to endpoints. A model uses them by name and never sees a value."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from inference_endpoints.errors import BadRequest
from inference_endpoints_mcp.privacy.private_file import PrivateFileError, read_private_file
from inference_endpoints_mcp.privacy.redact import MIN_SECRET_LENGTH

if TYPE_CHECKING:
    from inference_endpoints.models import UpdateRequest

HUB_TOKEN = "HF_TOKEN"  # noqa: S105 - the name of one
"""The secret in which engines look for a token of the Hub."""
RequestT = TypeVar("RequestT", bound="UpdateRequest")


class LentSecretsError(ValueError):
    """A secret that the operator wants to lend does not exist or cannot be lent."""


@dataclass(frozen=True)
class LentSecrets:
    """Secrets by name. A value goes into the request that is sent, and nowhere else.

    `bindings` has, for some names, patterns of the repositories and images that may get them.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    bindings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def load(
        cls, names: Iterable[str], file: Path | None, environment: Mapping[str, str] = os.environ
    ) -> "LentSecrets":
        """Variables of the environment, each bound by `NAME:pattern`, and all `NAME=value` lines of a private file.
        Raises `LentSecretsError`."""
        values = _read(file) if file is not None else {}
        bindings = _bindings(names)
        for name, patterns in bindings.items():
            if name in values and patterns:
                continue
            if name in values:
                raise LentSecretsError(f"{name} is lent twice: by --lend and by --lend-file.")
            if name not in environment:
                raise LentSecretsError(f"{name} cannot be lent (--lend): it is not in the server's environment.")
            values[name] = environment[name]
        for name, value in values.items():
            if len(value) < MIN_SECRET_LENGTH:
                raise LentSecretsError(
                    f"{name} cannot be lent: below {MIN_SECRET_LENGTH} characters it cannot be masked in results."
                )
        return cls(values, {name: patterns for name, patterns in bindings.items() if patterns})

    def mask(self, names: Iterable[str]) -> dict[str, str]:
        """These secrets with masked values, for a plan. Raises `BadRequest` with the known names for an unknown one."""
        from inference_endpoints.deploy.plan import MASK  # plans come after the handshake

        names = list(dict.fromkeys(names))
        if unknown := [name for name in names if name not in self.values]:
            known = f"It lends {', '.join(sorted(self.values))}." if self.values else "It lends none."
            raise BadRequest(
                f"The operator of this server does not lend {len(unknown)} of secret_names: nothing was sent.",
                hint=f"{known} Only the operator can lend more (--lend NAME).",
            )
        return dict.fromkeys(names, MASK)

    def fill_in(self, request: RequestT) -> RequestT:
        """A plan's request with the values, to be sent."""
        return request.with_secrets({name: self.values[name] for name in request.secret_names})


def _bindings(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The patterns of each name: `HF_TOKEN:acme/*` once for each."""
    found: dict[str, tuple[str, ...]] = {}
    for given in names:
        name, _, pattern = given.partition(":")
        if name in found and not (pattern and found[name]):
            raise LentSecretsError(f"{name} is lent twice (--lend), and not bound each time.")
        found[name] = (*found.get(name, ()), *([pattern] if pattern else []))
    return found


def _read(file: Path) -> dict[str, str]:
    from dotenv import dotenv_values  # only --lend-file needs this import

    try:
        text = read_private_file(file, "--lend-file")
    except PrivateFileError as error:
        raise LentSecretsError(str(error)) from error
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}
