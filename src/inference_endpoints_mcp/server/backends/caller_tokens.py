"""The Hugging Face tokens that callers bring themselves, over HTTP, where the operator has them act with their own."""

from collections.abc import Callable, Sequence

from inference_endpoints.transport import backend
from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.token import malformation
from inference_endpoints_mcp.privacy.redact import MIN_SECRET_LENGTH

HEADER = "X-HF-Token"
"""A header of its own: `Authorization` says who calls."""
LONGEST = 4_096
"""Characters of a token: those of a sign-in with Hugging Face are documents that were signed."""

CallerBackend = Callable[[str | None], Backend]
"""The backend of a caller with this token; with None what can be known without one."""


class TokenRefused(ValueError):
    """A caller's token is missing or invalid. The message says what to send, and nothing of what was sent."""


def hugging_face_of_callers(extra_hosts: tuple[str, ...] = ()) -> CallerBackend:
    """The hosted service. Endpoints on `extra_hosts` get the caller's token too."""
    return lambda token: backend.hugging_face(token, extra_hosts)


def read_token(values: Sequence[str]) -> str:
    """The token in the values of the header. Raises `TokenRefused`."""
    if not values:
        raise TokenRefused(
            f"This server acts with your own Hugging Face token: send it in the header {HEADER} of each request. "
            "Nothing was done."
        )
    if len(values) > 1:
        # One that a proxy and the caller both set is ambiguous: neither may override the other.
        raise TokenRefused(f"The header {HEADER} is there more than once: nothing was done.")
    (token,) = values
    problem = malformation(token)
    if problem is None and not MIN_SECRET_LENGTH <= len(token) <= LONGEST:
        problem = f"it has fewer than {MIN_SECRET_LENGTH} or more than {LONGEST} characters"
    if problem is not None:
        raise TokenRefused(
            f"The token in the header {HEADER} is malformed: {problem}. Nothing was done. Send the token itself; "
            "tokens of Hugging Face start with hf_."
        )
    return token


def refuse_token(values: Sequence[str]) -> None:
    """For callers who act with the operator's token. Raises `TokenRefused` if there is one."""
    if values:
        raise TokenRefused(
            f"This server takes no token from you, and did nothing: leave out the header {HEADER}. Its operator can "
            "have callers act with their own (--caller-tokens)."
        )
