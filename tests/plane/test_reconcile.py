"""The decisions themselves: wanted and observed state and the time in, actions and status out."""

from dataclasses import replace
from typing import Any

from inference_endpoints_local.control.reconcile import (
    Bury,
    GiveUp,
    Launch,
    Observed,
    Seen,
    Served,
    Sleep,
    Stop,
    reconcile,
)
from inference_endpoints_local.engines.base import Sighting, Stage
from inference_endpoints_local.state.record import Power, Record, Version


def spec(**scaling: Any) -> dict[str, Any]:
    scaling = {"minReplica": 1, "maxReplica": 1, "scaleToZeroTimeout": None} | scaling
    return {"provider": {}, "compute": {"scaling": scaling}, "model": {"repository": "a/b"}}


def wanted(scaling: dict[str, Any] | None = None, **changes: Any) -> Record:
    record = Record(
        id="e", namespace="acme", name="e", engine="process", spec=spec(**scaling or {}), created_ns=0, updated_ns=0
    )
    return replace(record, **changes)


def seen(stage: Stage, name: str = "r", generation: int = 1, **facts: Any) -> Seen:
    return Seen(name, generation, Sighting(stage, **facts))


OLD = Version(1, spec())
UPDATING = wanted(generation=2, good=OLD)


def test_a_new_endpoint_is_pending_and_gets_a_replica() -> None:
    decision = reconcile(wanted(), Observed(), 0)
    assert decision.actions == (Launch(1),)
    assert (decision.status.state, decision.status.ready, decision.status.target) == ("pending", 0, 1)


def test_as_many_replicas_are_launched_as_there_is_room_for() -> None:
    assert reconcile(wanted({"minReplica": 3}), Observed(room=2), 0).actions == (Launch(1), Launch(1))


def test_without_room_nothing_is_launched_and_the_message_says_why() -> None:
    decision = reconcile(wanted(), Observed(room=0), 0)
    assert decision.actions == ()
    assert decision.starved
    assert "no core is free" in decision.status.message


def test_a_woken_endpoint_is_initializing_from_the_start() -> None:
    assert reconcile(wanted(power=Power.WOKEN), Observed(), 0).status.state == "initializing"


def test_a_paused_endpoint_is_paused_at_once_and_its_replicas_are_stopped() -> None:
    decision = reconcile(wanted(power=Power.PAUSED), Observed((seen(Stage.READY),)), 0)
    assert decision.status.state == "paused"
    assert decision.actions == (Stop("r"),)


def test_a_stopping_replica_is_not_stopped_twice() -> None:
    assert reconcile(wanted(power=Power.PAUSED), Observed((seen(Stage.STOPPING),)), 0).actions == ()


def test_a_dead_replica_is_started_again_after_one_two_and_then_no_more_seconds() -> None:
    died = seen(Stage.EXITED, error="boom", ended_at=10.0)
    assert reconcile(wanted(), Observed((died,)), 10).actions == (Bury("r", 1, 10.0),)
    for attempts, pause in ((1, 1.0), (2, 2.0)):
        observed = Observed(attempts=attempts, failed_at=10.0)
        assert reconcile(wanted(), observed, 10).again_at == 10.0 + pause
        assert reconcile(wanted(), observed, 10 + pause).actions == (Launch(1),)
    last = reconcile(wanted(), Observed((died,), attempts=2), 10)
    assert last.actions == (Bury("r", 3, 10.0), GiveUp(1, "boom"))


def test_a_replica_that_ran_steadily_starts_a_new_count_when_it_dies() -> None:
    died = seen(Stage.EXITED, error="boom", ready_at=0.0, ended_at=31.0)
    assert reconcile(wanted(), Observed((died,), attempts=2), 31).actions == (Bury("r", 1, 31.0),)


def test_what_serves_is_not_given_up_for_a_further_replica_that_cannot_start() -> None:
    record = wanted({"minReplica": 2, "maxReplica": 2}).served()
    replicas = (seen(Stage.READY), seen(Stage.EXITED, "second", error="boom", fatal=True, ended_at=10.0))
    assert reconcile(record, Observed(replicas, attempts=8), 10).actions == (Bury("second", 9, 10.0),)
    waiting = reconcile(record, Observed(replicas[:1], attempts=9, failed_at=10.0), 10)
    assert (waiting.status.state, waiting.status.ready, waiting.status.target) == ("running", 1, 2)
    assert waiting.again_at == 10.0 + 60.0


def test_an_update_is_given_up_though_what_it_replaces_serves() -> None:
    replicas = (seen(Stage.READY), seen(Stage.EXITED, "new", 2, error="boom"))
    assert GiveUp(2, "boom") in reconcile(UPDATING, Observed(replicas, attempts=2), 0).actions


def test_the_load_asks_for_replicas_between_the_minimum_and_the_maximum() -> None:
    record = wanted({"minReplica": 2, "maxReplica": 4})
    for asked, target in ((1, 2), (3, 3), (9, 4)):
        decision = reconcile(record, Observed(asked=asked, room=9), 0)
        assert (decision.status.target, len(decision.actions)) == (target, target)


def test_a_fatal_end_is_not_tried_again() -> None:
    died = seen(Stage.EXITED, error="no such image", fatal=True)
    assert GiveUp(1, "no such image") in reconcile(wanted(), Observed((died,)), 0).actions


def test_a_failed_endpoint_says_its_last_words_and_runs_nothing() -> None:
    decision = reconcile(wanted().failed(1, "boom"), Observed(), 0)
    assert (decision.status.state, decision.status.error, decision.actions) == ("failed", "boom", ())


def test_an_update_starts_the_new_beside_the_old_where_there_is_room() -> None:
    decision = reconcile(UPDATING, Observed((seen(Stage.READY),)), 0)
    assert decision.actions == (Launch(2),)
    assert (decision.status.state, decision.status.ready) == ("updating", 1)


def test_an_update_lets_the_old_give_way_where_there_is_no_room() -> None:
    assert reconcile(UPDATING, Observed((seen(Stage.READY),), room=0), 0).actions == (Stop("r", drain=True),)


def test_of_several_old_ones_the_next_gives_way_only_when_a_new_one_serves() -> None:
    record = replace(UPDATING, spec=spec(minReplica=2, maxReplica=2))
    old, leaving = seen(Stage.READY, "b"), seen(Stage.STOPPING, "a")
    for other in (leaving, seen(Stage.STARTING, "new", 2)):
        assert reconcile(record, Observed((old, other), room=0), 0).actions == ()
    assert reconcile(record, Observed((old, seen(Stage.READY, "new", 2)), room=0), 0).actions == (
        Stop("b", drain=True),
    )


def test_the_old_is_stopped_once_the_new_is_ready() -> None:
    both = (seen(Stage.READY), seen(Stage.READY, "new", 2))
    assert reconcile(UPDATING, Observed(both), 0).actions == (Stop("r", drain=True), Served())


def test_a_failed_update_falls_back_to_what_served_before() -> None:
    record = UPDATING.failed(2, "bad flag")
    serving = reconcile(record, Observed((seen(Stage.READY),)), 0)
    assert (serving.status.state, serving.status.error) == ("updateFailed", "bad flag")
    assert serving.actions == ()
    assert reconcile(record, Observed(), 0).actions == (Launch(1),)


def test_a_failed_update_whose_old_version_fails_too_is_failed() -> None:
    assert reconcile(UPDATING.failed(2, "new").failed(1, "old"), Observed(), 0).status.state == "failed"


def test_an_update_of_an_update_stops_what_never_became_ready() -> None:
    replicas = (seen(Stage.READY), seen(Stage.STARTING, "second", 2))
    assert reconcile(replace(UPDATING, generation=3), Observed(replicas), 0).actions == (Stop("second"),)


def test_an_idle_endpoint_sleeps_after_its_timeout_and_not_while_it_answers() -> None:
    record = wanted({"minReplica": 0, "scaleToZeroTimeout": 1}, good=None)
    record = record.served()
    ready = (seen(Stage.READY, ready_at=100.0),)
    assert reconcile(record, Observed(ready), 159).again_at == 160.0
    assert reconcile(record, Observed(ready), 160).actions == (Sleep(),)
    assert reconcile(record, Observed(ready, used_at=130.0), 160).again_at == 190.0
    assert reconcile(record, Observed(ready, requests=1), 1_000).actions == ()


def test_an_endpoint_that_keeps_a_replica_never_sleeps() -> None:
    record = wanted().served()
    decision = reconcile(record, Observed((seen(Stage.READY, ready_at=0.0),)), 1e9)
    assert (decision.actions, decision.again_at) == ((), None)


def test_of_surplus_replicas_those_that_do_not_serve_go_first_and_then_the_newest() -> None:
    serving, second, starting = seen(Stage.READY), seen(Stage.READY, "second"), seen(Stage.STARTING, "third")
    record = wanted().served()
    assert reconcile(record, Observed((serving, second)), 0).actions == (Stop("second", drain=True),)
    assert reconcile(record, Observed((starting, serving)), 0).actions == (Stop("third", drain=True),)


def test_every_situation_comes_to_rest() -> None:
    """Doing what is said leads to nothing left to do, whatever is wanted and wherever replicas stand."""
    for power in Power:
        for stage in Stage:
            record, replicas = replace(UPDATING, power=power), {"r": seen(stage, error="x"), "s": seen(stage, "s", 2)}
            attempts = 0
            for _ in range(20):
                decision = reconcile(record, Observed(tuple(replicas.values()), 1, attempts), 1e6)
                if not decision.actions:
                    break
                for action in decision.actions:
                    match action:
                        case Launch(generation):
                            replicas["n"] = seen(Stage.READY, "n", generation, ready_at=1e6)
                        case Stop(name) | Bury(name):
                            attempts = action.attempts if isinstance(action, Bury) else attempts
                            del replicas[name]
                        case GiveUp(generation, message):
                            record = record.failed(generation, message)
                        case Served():
                            record = record.served()
            else:
                raise AssertionError((power, stage))
