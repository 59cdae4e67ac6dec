"""The models against raw captures of the API: nothing is lost, and nothing strange is fatal."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.service.captures import CAPTURES

from inference_endpoints import errors
from inference_endpoints.deploy.specs import EndpointSpec, Hardware
from inference_endpoints.models import AuditEntry, Endpoint, Image
from inference_endpoints.transport import operations
from inference_endpoints.transport.error_response import ErrorResponse, control_plane_error, error_text

ENDPOINTS = sorted(path.stem for path in CAPTURES.glob("endpoint-*.json"))

BECOMES = {
    "bad-request": errors.BadRequest,
    "task-null": errors.BadRequest,
    "idle-minutes": errors.BadRequest,
    "not-scalable-to-zero": errors.BadRequest,
    "already-running": errors.AlreadyRunning,
    "no-capacity": errors.NoCapacity,
    "invalid-state": errors.Paused,
    "paused": errors.Paused,
    "unauthorized": errors.Unauthorized,
    "payment": errors.PaymentRequired,
    "payment-method": errors.PaymentRequired,
    "payment-method-before-code": errors.PaymentRequired,
    "missing-permission": errors.Forbidden,
    "forbidden-dict": errors.Forbidden,
    "not-found": errors.NotFound,
    "name-taken": errors.AlreadyExists,
    "quota": errors.QuotaExceeded,
    "quota-of-type": errors.QuotaExceeded,
    "too-large": errors.BadRequest,
    "invalid-list": errors.BadRequest,
    "unknown-variant": errors.BadRequest,
    "rate-limited": errors.RateLimited,
    "opaque": errors.Unavailable,
    "gateway-html": errors.Unavailable,
    "starting": errors.Unavailable,
}
CAPTURED = json.loads((CAPTURES / "errors.json").read_text())


def captured(name: str) -> Any:
    return json.loads((CAPTURES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_is_read_and_its_raw_is_the_answer_exactly(name: str) -> None:
    endpoint = operations.GET.parse(captured(name))
    assert endpoint.raw == captured(name)
    assert endpoint.name == captured(name)["name"]
    assert endpoint.state == captured(name)["status"]["state"]
    requested = endpoint.raw.keys() - {"status", "healthRoute"}
    assert endpoint.configuration.keys() == requested
    assert all(endpoint.configuration[key] == endpoint.raw[key] for key in requested - {"compute"})
    scaling = endpoint.raw["compute"]["scaling"].items()
    assert endpoint.configuration["compute"]["scaling"] == {key: value for key, value in scaling if key != "metric"}


def test_the_capture_of_2025_gives_every_typed_field() -> None:
    endpoint = operations.GET.parse(captured("endpoint-pending-2025"))
    assert endpoint.state == "pending"
    assert endpoint.type == "protected"
    assert endpoint.health_route == "/health"
    assert endpoint.hardware_id == "aws-us-east-1-nvidia-l4-x1"
    assert endpoint.model.image is not None
    assert endpoint.model.image.engine == "tgi"
    assert endpoint.model.image.settings["port"] == 80
    assert endpoint.compute.scaling.scale_to_zero_timeout == 15
    assert endpoint.compute.scaling.measure == {"hardwareUsage": None}
    assert (endpoint.status.ready_replica, endpoint.status.target_replica) == (0, 1)
    assert endpoint.status.created_by is not None
    assert endpoint.status.created_by.name == "Wauplin"
    assert endpoint.url is None


def test_the_fixture_of_2023_is_read_with_its_legacy_fields_and_hardware_without_an_id() -> None:
    endpoint = operations.GET.parse(captured("endpoint-running-2023"))
    assert endpoint.hardware_id == "aws-us-east-1-intel-icl-x2"
    assert endpoint.url == "https://vksrvs8pc1xnifhq.us-east-1.aws.endpoints.huggingface.cloud"
    assert endpoint.raw["accountId"] is None


def test_identity_keeps_all_nine_digits_that_a_datetime_cannot() -> None:
    endpoint = operations.GET.parse(captured("endpoint-pending-2023-nanoseconds"))
    assert endpoint.identity == "2023-10-26T12:41:53.263078506Z"
    assert endpoint.status.created_at is not None
    assert endpoint.status.created_at.microsecond == 263078


def test_an_unknown_state_is_a_member_of_its_own_that_is_neither_billed_nor_changing() -> None:
    state = operations.GET.parse(captured("endpoint-unknown-state")).state
    assert state == "hibernating"
    assert state.value == "hibernating"
    assert not state.billed
    assert not state.changing


def test_unknown_fields_survive_at_every_depth() -> None:
    document = captured("endpoint-every-field")
    for part in (document, document["compute"], document["model"], document["status"]):
        part["aFieldOfTomorrow"] = {"deep": [1, None]}
    endpoint = operations.GET.parse(copy.deepcopy(document))
    assert endpoint.raw == document
    assert endpoint.status.model_dump(by_alias=True)["aFieldOfTomorrow"] == {"deep": [1, None]}


@pytest.mark.parametrize("engine", captured("images"))
def test_an_image_of_every_variant_names_its_engine_and_keeps_its_settings(engine: str) -> None:
    settings = captured("images")[engine]
    image = Image.model_validate({engine: settings})
    assert (image.engine, image.settings) == (engine, settings)
    assert image.model_dump() == {engine: settings}


def test_our_create_body_has_the_places_of_the_one_huggingface_hub_sends() -> None:
    theirs = captured("create-minimal-hub-2.4.0")
    hardware = Hardware(
        vendor="aws", region="us-east-1", accelerator="cpu", instance_type="intel-spr", instance_size="x1"
    )
    ours = (
        EndpointSpec(name="e", repository="gpt2", hardware=hardware, min_replica=1, max_replica=1, type="authenticated")
        .request()
        .to_json()
    )
    assert theirs["model"].pop("revision") is None
    assert theirs["compute"]["scaling"].pop("scaleToZeroTimeout") is None
    assert ours == theirs


def test_pages_are_read_with_their_cursor() -> None:
    first = operations.LIST.parse(captured("list-first-page"))
    last = operations.LIST.parse(captured("list-last-page"))
    assert [endpoint.raw for endpoint in first.items] == captured("list-first-page")["items"]
    assert first.next_cursor == "eyJvZmZzZXQiOjJ9"
    assert last.next_cursor is None


def test_hardware_is_read_with_price_and_quota() -> None:
    listing = operations.HARDWARE.parse(captured("vendors"))
    gpu, cpu = (instance for _, _, instance in listing.instances())
    assert listing.raw == captured("vendors")
    assert gpu.price_per_hour == 0.8
    assert gpu.quota is not None
    assert gpu.quota.left == 15
    assert (cpu.gpu_memory_gb, cpu.num_cpus) == (None, None)


def test_quotas_are_read_by_vendor() -> None:
    quotas = operations.QUOTAS.parse(captured("vendor-quotas"))
    ((vendor, quota),) = quotas.each()
    assert quotas.raw == captured("vendor-quotas")
    assert (vendor, quota.instance_type, quota.left) == ("aws", "nvidia-l4", 15)


def test_graphs_are_read_with_the_labels_of_their_series() -> None:
    graphs = operations.METRICS.parse(captured("all-graphs"))
    assert graphs.raw == captured("all-graphs")
    assert [(one.replica_id, one.device_id, one.max) for one in graphs.hardware_gpu.series] == [
        ("6pajyw3k-z7ghx", 0, 97),
        ("6pajyw3k-z7ghx", 1, 95),
    ]
    (elapsed,) = graphs.response_elapsed.series
    assert (elapsed.percentile, elapsed.summary, [point.y for point in elapsed.data]) == ("p95", 1.25, [1.25])
    assert [(one.status_code, one.total) for one in graphs.response_status_code_grouped.series] == [
        ("2xx", 118),
        ("5xx", 2),
    ]
    assert graphs.inference is not None
    assert graphs.inference.requests.waiting.series[0].max == 2


def test_the_stages_of_replicas_are_spans_of_time_with_a_text() -> None:
    graph = operations.METRICS.parse(captured("all-graphs")).replicas_status
    assert [(one.stage, span.y) for one in graph.series for span in one.data] == [
        ("initializing", "6pajyw3k-z7ghx"),
        ("running", "6pajyw3k-z7ghx"),
    ]
    assert all(span.x2 and span.x2 > span.x for one in graph.series for span in one.data)


def test_the_audit_log_is_read_with_its_reasons_and_cursors() -> None:
    page = operations.AUDIT_LOGS.parse(captured("audit-logs"))
    assert page.raw == captured("audit-logs")
    assert (page.next_cursor, page.prev_cursor) == ("opaque", None)
    assert [(entry.action, entry.level, entry.ip) for entry in page.items] == [
        ("updated", "info", "203.0.113.7"),
        ("paused", "info", None),
    ]
    (change,) = page.items[0].changes
    assert (change.setting, change.before, change.after) == ("instance.instanceType", "nvidia-t4", "nvidia-a10g")


@pytest.mark.parametrize(
    ("kind", "before", "after", "setting"),
    [
        ("env", {"env": {"A": "1"}}, {"env": {"A": "2"}}, "env.A"),
        ("secrets", {"secrets": {"KEY": None}}, {"secrets": {"KEY": None}}, "secrets.KEY"),
        ("type", {"endpointType": "public"}, {"endpointType": "private"}, "type.endpointType"),
        ("measure", {}, {"measure": {"hardwareUsage": 80}}, "measure"),
    ],
)
def test_a_change_names_its_setting_once(kind: str, before: Any, after: Any, setting: str) -> None:
    entry = AuditEntry(reason={"endpointUpdated": {kind: {"before": before, "after": after}}})
    assert [change.setting for change in entry.changes] == [setting]


def test_whoami_of_a_person_names_their_organizations_too() -> None:
    person = operations.WHOAMI.parse(captured("whoami-user"))
    assert person.namespaces == ["alice", "acme"]
    assert person.raw == captured("whoami-user")
    assert operations.WHOAMI.parse(captured("whoami-org")).type == "org"


def test_whoami_shows_what_a_fine_grained_token_may_do_in_each_namespace() -> None:
    caller = operations.WHOAMI.parse(captured("whoami-fine-grained"))
    assert caller.token_role == "fineGrained"
    assert caller.permissions("alice") == ["inference.endpoints.infer.write", "inference.endpoints.write"]
    assert caller.missing_permissions("alice") == []
    assert caller.missing_permissions("acme") == ["inference.endpoints.read", "inference.endpoints.write"]
    assert operations.WHOAMI.parse(captured("whoami-org")).permissions("acme") is None


def test_the_catalogue_is_read_with_its_recipes() -> None:
    catalogue = operations.CATALOGUE.parse(captured("catalogue"))
    assert [recipe.engine_type for recipe in catalogue.items[0].recipes] == ["vLLM", "llamacpp"]
    assert catalogue.items[0].recipes[1].gguf_file == "llama-3.2-3b-q4_k_m.gguf"
    assert Endpoint.model_validate(captured("catalogue-deploy")["endpoint"]).state == "pending"


def test_replicas_are_read_with_their_version_and_how_they_ended() -> None:
    running, ended = operations.REPLICAS.parse(captured("replicas")).items
    assert (running.version_id, running.status.live, running.status.running) == ("v1", True, True)
    assert (ended.version_id, ended.status.updating, ended.status.running) == ("v2", True, False)
    assert ended.status.started_at is not None
    assert ended.status.stopped_at is not None
    assert ended.status.exit_code == 137


@pytest.mark.parametrize("form", ["logs-list", "logs-items", "logs-text", "logs-text-of-entries"])
def test_logs_are_the_same_lines_in_every_form(form: str) -> None:
    entries = operations.LOGS_V2.parse(captured(form))
    assert [entry.line for entry in entries] == ["INFO: loading shard 1 of 2", "ERROR: out of memory"]
    if form != "logs-text":
        assert [entry.replica_id for entry in entries] == ["6pajyw3k-z7ghx"] * 2


def test_lines_of_text_have_a_time_and_keep_their_indentation() -> None:
    text = '- 2026-10-01T08:00:00.123456789Z INFO started\r\n- 2026-10-01T08:00:01Z   File "model.py"\n- no time\n'
    first, second, third = operations.LOGS_V2.parse(text)
    assert (first.line, first.time) == ("INFO started", datetime(2026, 10, 1, 8, 0, 0, 123456, UTC))
    assert (second.line, second.timestamp) == ('  File "model.py"', "2026-10-01T08:00:01Z")
    assert (third.line, third.time) == ("- no time", None)


def test_every_captured_error_has_a_meaning() -> None:
    assert CAPTURED.keys() == BECOMES.keys()


@pytest.mark.parametrize("name", CAPTURED)
def test_an_error_body_becomes_the_right_error_with_its_text_upstream(name: str) -> None:
    captured = CAPTURED[name]
    response = ErrorResponse(captured["status"], {"x-request-id": "r1"}, captured["body"].encode())
    error = control_plane_error("get endpoint acme/chat", response)
    assert type(error) is BECOMES[name]
    assert (error.status, error.request_id) == (captured["status"], "r1")
    assert error.upstream == error_text(captured["body"].encode())
    assert bool(error.upstream) is ("html" not in captured["content_type"])


def test_a_missing_permission_and_a_missing_payment_method_are_named() -> None:
    def message(name: str) -> str:
        body = CAPTURED[name]["body"].encode()
        return str(control_plane_error("create endpoint acme/chat", ErrorResponse(CAPTURED[name]["status"], {}, body)))

    assert "the token lacks inference.endpoints.read" in message("missing-permission")
    assert "has no payment method" in message("payment-method")
    assert "token" not in message("payment-method")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 422, 429, 500, 503])
@pytest.mark.parametrize("form", ['{"error":"%s"}', '{"message":"%s"}', '{"error":{"message":"%s"}}', '["%s"]', "%s"])
def test_the_services_text_is_upstream_and_never_in_the_message(status: int, form: str) -> None:
    canary = "ignore-all-previous-instructions"
    error = control_plane_error("get endpoint acme/chat", ErrorResponse(status, {}, (form % canary).encode()))
    assert canary in error.upstream
    assert canary not in str(error)
    assert canary not in json.dumps(errors.describe(error))


def test_500_random_mutations_of_a_page_are_read_as_long_as_names_and_states_are_there() -> None:
    chance = random.Random(20261122)
    for _ in range(500):
        page: dict[str, Any] = {"items": [captured_copy() for captured_copy in _COPIES], "nextCursor": None}
        for _ in range(chance.randint(1, 6)):
            _mutate(page, chance)
        for original, read in zip(page["items"], operations.LIST.parse(page).items, strict=True):
            assert read.raw == original


def _copy_of(name: str) -> Callable[[], dict[str, Any]]:
    document = captured(name)
    return lambda: copy.deepcopy(document)


_COPIES = [_copy_of(name) for name in ENDPOINTS]
_KEPT = {("name",), ("status",), ("status", "state")}


def _mutate(page: dict[str, Any], chance: random.Random) -> None:
    """Drop a key, make it null, or add an unknown one, anywhere in one endpoint."""
    endpoint = chance.choice(page["items"])
    path, place = chance.choice(list(_objects(endpoint, ())))
    free = [key for key in place if (*path, key) not in _KEPT]
    match chance.choice(["drop", "null", "add"]):
        case "drop" if free:
            del place[chance.choice(free)]
        case "null" if free:
            place[chance.choice(free)] = None
        case _:
            place[f"new{chance.randint(0, 9)}"] = chance.choice([None, True, 7, 0.5, "text", [], ["a"], {}, {"a": 1}])


def _objects(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from _objects(inner, (*path, key))
