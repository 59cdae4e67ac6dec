"""Signatures that show the members of a TypedDict, as `help`, `inspect` and editors do for written parameters."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from inference_endpoints.inference.tasks.parameters import CallParameters

F = TypeVar("F", bound=Callable[..., Any])


def named_parameters(function: F) -> F:
    """The same function, which shows each parameter of its `**parameters: Unpack[…]` by name."""
    signature = inspect.signature(function)
    *written, unpacked = signature.parameters.values()
    (kind,) = get_args(unpacked.annotation)
    own = [name for name in kind.__annotations__ if name not in CallParameters.__annotations__]
    shown = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind.__annotations__[name])
        for name in ("model", *own, "extra_body", "timeout")
    ]
    vars(function)["__signature__"] = signature.replace(parameters=[*written, *shown])
    return function
