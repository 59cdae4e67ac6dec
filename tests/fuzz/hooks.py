"""What a schema cannot express of a valid request: existing hardware and endpoints, a minimum below its maximum."""

from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

HARDWARE = {"accelerator": "cpu", "instanceType": "intel-spr", "instanceSize": "x1"}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Correct these in requests that are meant to be valid. Requests that follow a link have the name from there."""
    del context, kwargs
    if case.query and case.query.get("follow") in (True, "true"):
        case.query["follow"] = "false"  # followed logs do not end
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if "name" in case.path_parameters and case.method != "DELETE" and case.meta.phase.name != "stateful":
        case.path_parameters["name"] = "chat"
    if isinstance(case.body, dict):
        make_possible(case.body)


def make_possible(body: dict[str, Any]) -> None:
    if "provider" in body:
        body["provider"] = {"vendor": "aws", "region": "us-east-1"}
    if "start" in body or "stop" in body:
        body |= {"start": "2026-11-25T12:00:00Z", "stop": "2026-11-25T12:30:00+00:00"}
    if "hardware" in body:
        body["hardware"] = "aws-us-east-1-nvidia-l4-x1"  # not that of the endpoints, which would not start
    if "requests" in body:
        body["name"] = "chat"
    if isinstance(compute := body.get("compute"), dict):
        compute |= HARDWARE
        if isinstance(scaling := compute.get("scaling"), dict):
            scaling |= {"minReplica": 0, "maxReplica": 1}
