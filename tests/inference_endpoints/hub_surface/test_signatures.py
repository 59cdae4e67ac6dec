"""Names, order and defaults of arguments against huggingface_hub 2.4.0, and what the package shows of itself."""

import importlib
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import huggingface_hub
import pytest

import inference_endpoints
from inference_endpoints import (
    AsyncEndpointsClient,
    AsyncInferenceClient,
    AsyncInferenceEndpoint,
    EndpointsClient,
    InferenceClient,
    InferenceEndpoint,
    aio,
    sync,
)

FUNCTIONS = [f"{verb}_inference_endpoint" for verb in ("get", "create", "update", "delete", "pause", "resume")] + [
    "list_inference_endpoints",
    "scale_to_zero_inference_endpoint",
]
METHODS = ["from_raw", "fetch", "update", "pause", "resume", "scale_to_zero", "delete", "wait"]
OURS_ALONE: dict[str, list[str]] = {
    # A client to work with, in place of the method of an `HfApi`.
    **{name: ["api"] for name in FUNCTIONS},
    # Moving an endpoint, which the service's document has and the reference does not.
    "update_inference_endpoint": ["vendor", "region", "api"],
    # What the function of the same name takes, and the reference's method leaves out.
    "update": [
        *("scaling_metric", "scaling_threshold", "env", "domain", "path", "cache_http_responses", "tags"),
        *("vendor", "region"),
    ],
    # Waking an endpoint that is scaled to zero is billed, so the caller has to request it.
    "wait": ["wake"],
}
"""Every deliberate difference: arguments that are added, all by name alone."""


@pytest.mark.parametrize("module", [sync, aio])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_references_signature(module: Any, name: str) -> None:
    compare(getattr(module, name), getattr(huggingface_hub, name), OURS_ALONE[name])


@pytest.mark.parametrize("handle", [InferenceEndpoint, AsyncInferenceEndpoint])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_references_signature(handle: type, name: str) -> None:
    compare(getattr(handle, name), getattr(huggingface_hub.InferenceEndpoint, name), OURS_ALONE.get(name, []))


@pytest.mark.parametrize(
    ("blocking", "awaited"),
    [
        (EndpointsClient, AsyncEndpointsClient),
        (InferenceEndpoint, AsyncInferenceEndpoint),
        (InferenceClient, AsyncInferenceClient),
    ],
)
def test_a_blocking_twin_has_every_method_with_signature_and_docstring(blocking: type, awaited: type) -> None:
    renamed = {"aclose": "close"}  # which closes what belongs to its own event loop
    for name, method in inspect.getmembers(awaited, inspect.isfunction):
        if name.startswith("_"):
            continue
        twin = getattr(blocking, renamed.get(name, name))
        assert inspect.signature(twin).parameters.keys() == inspect.signature(method).parameters.keys(), name
        assert not inspect.iscoroutinefunction(twin), name
        if name not in renamed:
            assert prose(twin) == prose(method), name
            assert not re.search(r">>>.*(await |async )", twin.__doc__ or ""), name
        assert twin.__qualname__.startswith(blocking.__name__), name


def test_a_blocking_function_can_be_pickled() -> None:
    for name in FUNCTIONS:
        function = getattr(sync, name)
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301


def test_all_public_names_can_be_imported_and_are_sorted() -> None:
    assert inference_endpoints.__all__ == sorted(inference_endpoints.__all__)
    assert set(inference_endpoints.__all__) <= set(dir(inference_endpoints))
    for name in inference_endpoints.__all__:
        assert getattr(inference_endpoints, name) is not None
    table = inference_endpoints._NAMES_BY_MODULE  # noqa: SLF001 - the table of lazy imports, which this test checks
    homes = {f"inference_endpoints.{home}" for home in table}
    named = [name for names in table.values() for name in names.split()]
    assert sorted([*named, "aio"]) == inference_endpoints.__all__
    for home in homes:
        importlib.import_module(home)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = inference_endpoints.nothing


def test_importing_a_part_does_not_load_the_rest() -> None:
    program = (
        "import sys, inference_endpoints.models; from inference_endpoints import InferenceEndpointStatus;"
        "print(*(name for name in ('httpx2', 'anyio', 'inference_endpoints.sync') if name in sys.modules))"
    )
    program_run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert program_run.stdout.strip() == ""


def prose(function: Callable[..., Any]) -> list[str]:
    """A docstring without its example."""
    return [line for line in (function.__doc__ or "").splitlines() if not line.strip().startswith((">>>", "..."))]


def compare(ours: Callable[..., Any], theirs: Callable[..., Any], added: list[str]) -> None:
    wanted = list(inspect.signature(theirs).parameters.values())
    parameters = list(inspect.signature(ours).parameters.values())
    extra = [parameter for parameter in parameters if parameter.name in added]
    assert [parameter.name for parameter in extra] == sorted(added, key=[p.name for p in parameters].index)
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in extra)
    kept = [parameter for parameter in parameters if parameter.name not in added]
    assert [(p.name, p.kind, p.default) for p in kept] == [(p.name, p.kind, p.default) for p in wanted]
