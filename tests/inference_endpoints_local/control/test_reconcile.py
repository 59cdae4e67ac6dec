"""Reconciliation: wanted state, observed state and the time in, actions and status out."""

from dataclasses import replace
from typing import Any

from inference_endpoints_local.control.reconcile import (
    GiveUp,
    Launch,
    MarkServed,
    ObservedReplica,
    ObservedState,
    Reap,
    ScaleToZero,
    Stop,
    reconcile,
)
from inference_endpoints_local.engines.engine import ReplicaStage, ReplicaState
from inference_endpoints_local.state.record import EndpointRecord, PowerState, SpecVersion


def spec(**scaling: Any) -> dict[str, Any]:
    scaling = {"minReplica": 1, "maxReplica": 1, "scaleToZeroTimeout": None} | scaling
    return {"provider": {}, "compute": {"scaling": scaling}, "model": {"repository": "a/b"}}


def wanted(scaling: dict[str, Any] | None = None, **changes: Any) -> EndpointRecord:
    record = EndpointRecord(
        id="e", namespace="acme", name="e", engine="process", spec=spec(**scaling or {}), created_ns=0, updated_ns=0
    )
    return replace(record, **changes)


def in_stage(stage: ReplicaStage, name: str = "r", generation: int = 1, **facts: Any) -> ObservedReplica:
    return ObservedReplica(name, generation, ReplicaState(stage, **facts))


OLD = SpecVersion(1, spec())
UPDATING = wanted(generation=2, good=OLD)


def test_a_new_endpoint_is_pending_and_gets_a_replica() -> None:
    decision = reconcile(wanted(), ObservedState(), 0)
    assert decision.actions == (Launch(1),)
    assert (decision.status.state, decision.status.ready, decision.status.target) == ("pending", 0, 1)


def test_as_many_replicas_are_launched_as_there_is_room_for() -> None:
    assert reconcile(wanted({"minReplica": 3}), ObservedState(free_replicas=2), 0).actions == (Launch(1), Launch(1))


def test_without_room_nothing_is_launched_and_the_message_states_why() -> None:
    decision = reconcile(wanted(), ObservedState(free_replicas=0, no_capacity_reason="no core is free"), 0)
    assert decision.actions == ()
    assert decision.lacks_capacity
    assert "no core is free" in decision.status.message


def test_a_woken_endpoint_is_initializing_from_the_start() -> None:
    assert reconcile(wanted(power=PowerState.WOKEN), ObservedState(), 0).status.state == "initializing"


def test_a_paused_endpoint_is_paused_at_once_and_its_replicas_are_stopped() -> None:
    decision = reconcile(wanted(power=PowerState.PAUSED), ObservedState((in_stage(ReplicaStage.READY),)), 0)
    assert decision.status.state == "paused"
    assert decision.actions == (Stop("r"),)


def test_a_stopping_replica_is_not_stopped_twice() -> None:
    assert (
        reconcile(wanted(power=PowerState.PAUSED), ObservedState((in_stage(ReplicaStage.STOPPING),)), 0).actions == ()
    )


def test_a_dead_replica_is_started_again_after_one_and_two_seconds_and_then_given_up() -> None:
    died = in_stage(ReplicaStage.EXITED, error="boom", ended_at=10.0)
    assert reconcile(wanted(), ObservedState((died,)), 10).actions == (Reap("r", 1, 10.0),)
    for attempts, pause in ((1, 1.0), (2, 2.0)):
        observed = ObservedState(attempts=attempts, failed_at=10.0)
        assert reconcile(wanted(), observed, 10).recheck_at == 10.0 + pause
        assert reconcile(wanted(), observed, 10 + pause).actions == (Launch(1),)
    last = reconcile(wanted(), ObservedState((died,), attempts=2), 10)
    assert last.actions == (Reap("r", 3, 10.0), GiveUp(1, "boom"))


def test_a_replica_that_ran_steadily_starts_a_new_count_when_it_dies() -> None:
    died = in_stage(ReplicaStage.EXITED, error="boom", ready_at=0.0, ended_at=31.0)
    assert reconcile(wanted(), ObservedState((died,), attempts=2), 31).actions == (Reap("r", 1, 31.0),)


def test_a_serving_version_is_not_given_up_for_a_further_replica_that_cannot_start() -> None:
    record = wanted({"minReplica": 2, "maxReplica": 2}).with_served_version()
    replicas = (
        in_stage(ReplicaStage.READY),
        in_stage(ReplicaStage.EXITED, "second", error="boom", fatal=True, ended_at=10.0),
    )
    assert reconcile(record, ObservedState(replicas, attempts=8), 10).actions == (Reap("second", 9, 10.0),)
    waiting = reconcile(record, ObservedState(replicas[:1], attempts=9, failed_at=10.0), 10)
    assert (waiting.status.state, waiting.status.ready, waiting.status.target) == ("running", 1, 2)
    assert waiting.recheck_at == 10.0 + 60.0


def test_an_update_is_given_up_although_the_previous_version_serves() -> None:
    replicas = (in_stage(ReplicaStage.READY), in_stage(ReplicaStage.EXITED, "new", 2, error="boom"))
    assert GiveUp(2, "boom") in reconcile(UPDATING, ObservedState(replicas, attempts=2), 0).actions


def test_the_load_sets_the_replicas_between_the_minimum_and_the_maximum() -> None:
    record = wanted({"minReplica": 2, "maxReplica": 4})
    for load, target in ((1, 2), (3, 3), (9, 4)):
        decision = reconcile(record, ObservedState(replicas_for_load=load, free_replicas=9), 0)
        assert (decision.status.target, len(decision.actions)) == (target, target)


def test_a_fatal_end_is_not_tried_again() -> None:
    died = in_stage(ReplicaStage.EXITED, error="no such image", fatal=True)
    assert GiveUp(1, "no such image") in reconcile(wanted(), ObservedState((died,)), 0).actions


def test_a_failed_endpoint_shows_its_error_and_runs_nothing() -> None:
    decision = reconcile(wanted().failed(1, "boom"), ObservedState(), 0)
    assert (decision.status.state, decision.status.error, decision.actions) == ("failed", "boom", ())


def test_an_update_starts_the_new_beside_the_old_where_there_is_room() -> None:
    decision = reconcile(UPDATING, ObservedState((in_stage(ReplicaStage.READY),)), 0)
    assert decision.actions == (Launch(2),)
    assert (decision.status.state, decision.status.ready) == ("updating", 1)


def test_an_update_stops_the_old_replica_first_where_there_is_no_room() -> None:
    assert reconcile(UPDATING, ObservedState((in_stage(ReplicaStage.READY),), free_replicas=0), 0).actions == (
        Stop("r", drain=True),
    )


def test_of_several_old_replicas_the_next_is_stopped_only_when_a_new_one_serves() -> None:
    record = replace(UPDATING, spec=spec(minReplica=2, maxReplica=2))
    old, leaving = in_stage(ReplicaStage.READY, "b"), in_stage(ReplicaStage.STOPPING, "a")
    for other in (leaving, in_stage(ReplicaStage.STARTING, "new", 2)):
        assert reconcile(record, ObservedState((old, other), free_replicas=0), 0).actions == ()
    assert reconcile(
        record, ObservedState((old, in_stage(ReplicaStage.READY, "new", 2)), free_replicas=0), 0
    ).actions == (Stop("b", drain=True),)


def test_the_old_is_stopped_once_the_new_is_ready() -> None:
    both = (in_stage(ReplicaStage.READY), in_stage(ReplicaStage.READY, "new", 2))
    assert reconcile(UPDATING, ObservedState(both), 0).actions == (Stop("r", drain=True), MarkServed())


def test_a_failed_update_falls_back_to_what_served_before() -> None:
    record = UPDATING.failed(2, "bad flag")
    serving = reconcile(record, ObservedState((in_stage(ReplicaStage.READY),)), 0)
    assert (serving.status.state, serving.status.error) == ("updateFailed", "bad flag")
    assert serving.actions == ()
    assert reconcile(record, ObservedState(), 0).actions == (Launch(1),)


def test_a_failed_update_whose_old_version_fails_too_is_failed() -> None:
    assert reconcile(UPDATING.failed(2, "new").failed(1, "old"), ObservedState(), 0).status.state == "failed"


def test_an_update_of_an_update_stops_replicas_that_never_became_ready() -> None:
    replicas = (in_stage(ReplicaStage.READY), in_stage(ReplicaStage.STARTING, "second", 2))
    assert reconcile(replace(UPDATING, generation=3), ObservedState(replicas), 0).actions == (Stop("second"),)


def test_an_idle_endpoint_scales_to_zero_after_its_timeout_and_not_while_it_answers() -> None:
    record = wanted({"minReplica": 0, "scaleToZeroTimeout": 1}, good=None)
    record = record.with_served_version()
    ready = (in_stage(ReplicaStage.READY, ready_at=100.0),)
    assert reconcile(record, ObservedState(ready), 159).recheck_at == 160.0
    assert reconcile(record, ObservedState(ready), 160).actions == (ScaleToZero(),)
    assert reconcile(record, ObservedState(ready, last_request_at=130.0), 160).recheck_at == 190.0
    assert reconcile(record, ObservedState(ready, requests=1), 1_000).actions == ()


def test_an_endpoint_with_a_minimum_never_scales_to_zero() -> None:
    record = wanted().with_served_version()
    decision = reconcile(record, ObservedState((in_stage(ReplicaStage.READY, ready_at=0.0),)), 1e9)
    assert (decision.actions, decision.recheck_at) == ((), None)


def test_of_surplus_replicas_those_that_do_not_serve_are_stopped_first_and_then_the_newest() -> None:
    serving, second, starting = (
        in_stage(ReplicaStage.READY),
        in_stage(ReplicaStage.READY, "second"),
        in_stage(ReplicaStage.STARTING, "third"),
    )
    record = wanted().with_served_version()
    assert reconcile(record, ObservedState((serving, second)), 0).actions == (Stop("second", drain=True),)
    assert reconcile(record, ObservedState((starting, serving)), 0).actions == (Stop("third", drain=True),)


def test_every_situation_settles() -> None:
    """Applying the actions leaves nothing to do, for every wanted state and every stage of the replicas."""
    for power in PowerState:
        for stage in ReplicaStage:
            record, replicas = (
                replace(UPDATING, power=power),
                {"r": in_stage(stage, error="x"), "s": in_stage(stage, "s", 2)},
            )
            attempts = 0
            for _ in range(20):
                decision = reconcile(record, ObservedState(tuple(replicas.values()), 1, attempts=attempts), 1e6)
                if not decision.actions:
                    break
                for action in decision.actions:
                    match action:
                        case Launch(generation):
                            replicas["n"] = in_stage(ReplicaStage.READY, "n", generation, ready_at=1e6)
                        case Stop(name) | Reap(name):
                            attempts = action.attempts if isinstance(action, Reap) else attempts
                            del replicas[name]
                        case GiveUp(generation, message):
                            record = record.failed(generation, message)
                        case MarkServed():
                            record = record.with_served_version()
            else:
                raise AssertionError((power, stage))
