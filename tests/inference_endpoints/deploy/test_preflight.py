"""Requests that would end badly are known before they are sent."""

from contextlib import nullcontext
from typing import Any

import pytest

from inference_endpoints.deploy import preflight
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import UpdateRequest


@pytest.mark.parametrize(
    ("engine", "settings", "accelerators", "missing"),
    [
        ("vLLM", {}, 4, True),
        ("sGLang", {"port": 1}, 2, True),
        ("vLLM", {"dataParallelSize": 2}, 2, False),
        ("vLLM", {}, 1, False),
        ("tgi", {}, 4, False),
        ("custom", {}, 4, False),
    ],
)
def test_engines_that_need_a_parallelism_setting_for_several_accelerators(
    engine: str, settings: dict[str, Any], accelerators: int, missing: bool
) -> None:
    request = UpdateRequest.model_validate({"model": {"image": {engine: {"url": "x", **settings}}}})
    with pytest.raises(BadRequest, match=f"one of {accelerators}") if missing else nullcontext():
        preflight.check_request(request, accelerators)


@pytest.mark.parametrize(("image_key", "refused"), [("vLLM", True), ("custom", True), ("llamacpp", False)])
def test_an_image_that_needs_a_url_is_refused_without_one(image_key: str, refused: bool) -> None:
    request = UpdateRequest.model_validate({"model": {"image": {image_key: {}}}})
    with pytest.raises(BadRequest, match="has no url") if refused else nullcontext():
        preflight.check_request(request, 1)
