"""Every benchmark still runs: once, small. Nothing here asserts a time."""

import json
from math import isfinite
from typing import Any

import pytest
from tests.benchmarks.__main__ import BENCHMARKS
from tests.cluster.machines import why_no_machines

SMALL: dict[str, dict[str, Any]] = {
    "lifecycle": {"fleet": 120},
    "listing": {"fleet": 120},
    "ray_calls": {"calls": 16},
    "ray_scale": {"endpoints": 4, "window_s": 0.5},
    "processor": {"calls": 20},
    "waiting": {"cases": ((3, 2),), "settle_s": 0.5, "window_s": 0.5},
}
REASON = why_no_machines()
MARKS = {
    "first_token": [pytest.mark.models],
    "ray_calls": [pytest.mark.models, pytest.mark.skipif(bool(REASON), reason=REASON)],
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in BENCHMARKS])
def test_the_benchmark_measures_every_figure(name: str) -> None:
    report = BENCHMARKS[name](rounds=1, **SMALL.get(name, {}))
    assert report.figures
    for figure in report.figures:
        facts = figure.facts()
        assert isfinite(facts["ours"]), facts
        assert figure.what in report.markdown()
    json.dumps([figure.facts() for figure in report.figures])
