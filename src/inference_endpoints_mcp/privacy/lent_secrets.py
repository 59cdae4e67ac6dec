"""What the operator lends: secrets that endpoints are given, by name, and nobody in between sees."""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from inference_endpoints.deploy.plan import MASK
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import UpdateRequest
from inference_endpoints_mcp.privacy.redact import SHORTEST

Change = TypeVar("Change", bound=UpdateRequest)


class LendError(ValueError):
    """What the operator wants to lend is not there, or not fit to be lent."""


@dataclass(frozen=True)
class Lent:
    """Secrets by name. A value goes into the request that is sent, and nowhere else."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, names: Iterable[str], file: Path | None, environment: Mapping[str, str] = os.environ) -> "Lent":
        """These names of the environment, and all of a private file of `NAME=value` lines. Raises `LendError`."""
        values = _read(file) if file is not None else {}
        for name in names:
            if name in values:
                raise LendError(f"{name} is lent twice, by --lend and by --lend-file.")
            if name not in environment:
                raise LendError(f"{name} is to be lent (--lend), and is not in the server's environment.")
            values[name] = environment[name]
        for name, value in values.items():
            if len(value) < SHORTEST:
                raise LendError(f"{name} cannot be lent: below {SHORTEST} characters it cannot be kept out of answers.")
        return cls(values)

    def masked(self, names: Iterable[str]) -> dict[str, str]:
        """These names as a plan shows them. Raises `BadRequest`, naming what is lent, for any other."""
        wanted = list(dict.fromkeys(names))
        if unknown := [name for name in wanted if name not in self.values]:
            known = f"Lent are: {', '.join(sorted(self.values))}." if self.values else "None are lent."
            raise BadRequest(
                f"{len(unknown)} of secret_names are not lent by the operator of this server: nothing was sent.",
                hint=f"{known} The operator can lend more (--lend NAME).",
            )
        return dict.fromkeys(wanted, MASK)

    def filled(self, request: Change) -> Change:
        """A plan's request as it is sent: with the values."""
        return request.with_secrets({name: self.values[name] for name in request.secret_names})


def _read(file: Path) -> dict[str, str]:
    from dotenv import dotenv_values  # only who lends by a file waits for its import

    try:
        if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise LendError(f"{file} can be read by others: chmod 600 {file}.")
        with file.open(encoding="utf-8") as lines:
            found = dotenv_values(stream=lines, interpolate=False)
    except OSError as error:
        raise LendError(f"{file} (--lend-file) cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LendError(f"{file} (--lend-file) is not text.") from error
    return {name: value for name, value in found.items() if value is not None}
