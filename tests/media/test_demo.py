"""The scene of the demo, through the tools: an endpoint speaks, another hears it, a third names an image."""

import json

from tests.support.command import Run


def test_what_one_endpoint_speaks_another_hears_and_an_image_is_named(run: Run) -> None:
    ended = run("demo", "--media", "--json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert all(step["ok"] for step in report["steps"])
    assert {"speak", "hear", "name_image"} <= {step["name"] for step in report["steps"]}
    assert "clock" in report["image"]
    assert report["endpoints_left"] == 0
