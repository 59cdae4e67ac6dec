"""The executor: observes endpoints, calls `reconcile`, and applies its actions. The only writer of status.

`step` is synchronous and does everything that is due now, so tests can drive it without a loop and without sleeping.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from inference_endpoints_local.control.autoscale import scaling_rule
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.control.reconcile import (
    GiveUp,
    Launch,
    MarkServed,
    Reap,
    ReconcileAction,
    Reconciliation,
    ScaleToZero,
    Stop,
    reconcile,
)
from inference_endpoints_local.engines.engine import ALIVE, Engine, LaunchRequest
from inference_endpoints_local.state.audit_event import AuditEvent
from inference_endpoints_local.state.clock import Clock, wall_ns
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.record import EndpointRecord, PowerState
from inference_endpoints_local.state.store import NotSaved, Store

logger = logging.getLogger(__name__)


class Executor:
    """Brings every endpoint to its wanted state. A change is stored before it is visible; raises NotSaved otherwise."""

    def __init__(self, store: Store, engines: Mapping[str, Engine], logs: LogStore) -> None:
        self._store = store
        self._engines = engines
        self._logs = logs
        self._endpoints: dict[str, ManagedEndpoint] = {}
        self._by_name: dict[tuple[str, str], ManagedEndpoint] = {}
        self._queue: set[str] = set()
        self._unsaved: dict[str, EndpointRecord] = {}
        self._wake = asyncio.Event()
        for record in store.load():
            self._track(record)

    def __iter__(self) -> Iterator[ManagedEndpoint]:
        """Every endpoint that is not deleted, oldest first."""
        return iter(self._by_name.values())

    def find(self, namespace: str, name: str) -> ManagedEndpoint | None:
        return self._by_name.get((namespace, name))

    def by_id(self, endpoint_id: str) -> ManagedEndpoint | None:
        """The endpoint of that id, unless it is deleted."""
        endpoint = self._endpoints.get(endpoint_id)
        return endpoint if endpoint and endpoint.record.power is not PowerState.DELETED else None

    def is_active(self, engine: str) -> bool:
        """Whether any replica of an engine runs, starts or ends, or is wanted."""
        ours = (endpoint for endpoint in self._endpoints.values() if endpoint.record.engine == engine)
        return any(endpoint.replicas or endpoint.record.wants_replicas for endpoint in ours)

    def add(self, record: EndpointRecord, event: AuditEvent) -> ManagedEndpoint:
        self._save(record, event)
        return self._track(record)

    def change(self, endpoint: ManagedEndpoint, record: EndpointRecord, *events: AuditEvent) -> None:
        """Store and show a new wanted state. The next step acts on it, with the attempts counted from 0."""
        self._save(record, *events)
        endpoint.record = record
        endpoint.agent_message = ""
        endpoint.attempts = 0
        endpoint.status = self._decide(endpoint).status
        self.enqueue(record.id)

    def remove(self, endpoint: ManagedEndpoint, event: AuditEvent) -> None:
        record = endpoint.record
        self._store.delete(record.id, [event])
        self._unsaved.pop(record.id, None)
        endpoint.record = replace(record, power=PowerState.DELETED)
        del self._by_name[record.namespace, record.name]
        self.enqueue(record.id)

    @contextmanager
    def request(self, endpoint: ManagedEndpoint) -> Iterator[None]:
        """Count a request in flight during the block. It wakes an endpoint scaled to zero. Raises NotSaved."""
        self._record_request(endpoint)
        endpoint.load.add(1, endpoint.engine.clock.now())
        try:
            yield
        finally:
            endpoint.load.add(-1, endpoint.engine.clock.now())
            self._record_activity(endpoint)

    def simulate_load(self, endpoint: ManagedEndpoint, requests: int) -> None:
        """Count so many requests in flight from now on, though there are none. Raises NotSaved."""
        if requests:
            self._record_request(endpoint)
        endpoint.load.add(requests - endpoint.simulated_requests, endpoint.engine.clock.now())
        endpoint.simulated_requests = requests
        endpoint.spread_simulated_requests()
        self._record_activity(endpoint)

    def _record_request(self, endpoint: ManagedEndpoint) -> None:
        """A request arrived: wake the endpoint if it is scaled to zero."""
        if endpoint.record.power is PowerState.SCALED_TO_ZERO:
            woken = endpoint.record.with_power(PowerState.WOKEN, endpoint.record.updated_ns)
            self.change(endpoint, woken)
        endpoint.last_used_ns = wall_ns()
        self._record_activity(endpoint)

    def _record_activity(self, endpoint: ManagedEndpoint) -> None:
        """A request begins or ends now: the endpoint is not idle."""
        endpoint.last_request_at = endpoint.engine.clock.now()
        self.enqueue(endpoint.record.id)

    def enqueue(self, endpoint_id: str) -> None:
        """Reconcile this endpoint in the next step, as something about it may have changed."""
        self._queue.add(endpoint_id)
        self._wake.set()

    def step(self) -> None:
        """Do everything that is due now."""
        while due := self._due():
            for endpoint_id in due:
                self._queue.discard(endpoint_id)
                endpoint = self._endpoints.get(endpoint_id)
                if endpoint is None:
                    continue
                endpoint.recheck_at = None
                try:
                    self._reconcile(endpoint)
                except Exception:
                    # An error of one endpoint must not stop the others.
                    logger.exception("endpoint %s could not be reconciled", endpoint.record.name)

    def next_due(self, clock: Clock) -> float | None:
        """The next time of this clock at which something is due; None if nothing is."""
        return _earliest(
            *(endpoint.recheck_at for endpoint in self._endpoints.values() if endpoint.engine.clock is clock)
        )

    async def run(self) -> None:
        """Step whenever something has changed or is due, until cancelled."""
        while True:
            self._wake.clear()
            self.step()
            try:
                async with asyncio.timeout(self._seconds_left()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def wait_until(self, endpoint: ManagedEndpoint, predicate: Callable[[ManagedEndpoint], bool]) -> None:
        """Wait until the predicate is true. It is evaluated after each reconciliation of the endpoint."""
        while not predicate(endpoint):
            waiter = asyncio.get_running_loop().create_future()
            endpoint.waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in endpoint.waiters:
                    endpoint.waiters.remove(waiter)

    def _track(self, record: EndpointRecord) -> ManagedEndpoint:
        endpoint = ManagedEndpoint(record, self._engines[record.engine])
        endpoint.status = self._decide(endpoint).status
        self._endpoints[record.id] = endpoint
        self._by_name[record.namespace, record.name] = endpoint
        self.enqueue(record.id)
        return endpoint

    def _due(self) -> list[str]:
        now = {engine.clock: engine.clock.now() for engine in self._engines.values()}
        due = set(self._queue)
        for endpoint_id, endpoint in self._endpoints.items():
            if endpoint.recheck_at is not None and endpoint.recheck_at <= now[endpoint.engine.clock]:
                due.add(endpoint_id)
        return sorted(due)

    def _seconds_left(self) -> float | None:
        clocks = {engine.clock for engine in self._engines.values()}
        stops = ((clock, self.next_due(clock)) for clock in clocks)
        return _earliest(*(clock.seconds_until(stop) for clock, stop in stops if stop is not None))

    def _reconcile(self, endpoint: ManagedEndpoint) -> None:
        """Act until nothing is left to do now."""
        measured_at = self._scale(endpoint)
        decision = self._decide(endpoint)
        while decision.actions:
            for action in decision.actions:
                self._apply(endpoint, action)
            decision = self._decide(endpoint)
        endpoint.status = decision.status
        endpoint.measured_starts.observe(endpoint.replicas)
        endpoint.measure()
        endpoint.lacks_capacity = decision.lacks_capacity
        interval_s = endpoint.engine.capacity_check_interval_s
        look_at = None
        if decision.lacks_capacity and interval_s is not None:
            look_at = endpoint.engine.clock.now() + interval_s
        endpoint.recheck_at = _earliest(decision.recheck_at, measured_at, look_at)
        if endpoint.record.power is PowerState.DELETED and not endpoint.replicas:
            del self._endpoints[endpoint.record.id]
            self._logs.delete(endpoint.record.id)
        for waiter in endpoint.waiters:
            if not waiter.done():
                waiter.set_result(None)
        endpoint.waiters.clear()

    def _scale(self, endpoint: ManagedEndpoint) -> float | None:
        """Scale by the load, within the capacity. Returns when to scale again; None: at the next request."""
        record, version = endpoint.record, endpoint.record.version
        if version is None or not record.is_on or record.max_replicas == record.min_replicas:
            endpoint.load.reset()
            return None
        capacity = 0
        # Replicas that others need at least come before additional ones of this endpoint.
        others = (
            other for other in self._endpoints.values() if other is not endpoint and other.engine is endpoint.engine
        )
        if not any(other.lacks_capacity for other in others):
            live = sum(replica.observe().stage in ALIVE for replica in endpoint.replicas)
            capacity = live + endpoint.engine.free_replicas(version.spec)
        return endpoint.load.update(
            scaling_rule(record, capacity), endpoint.ready, endpoint.last_request_at, endpoint.engine.clock.now()
        )

    def _decide(self, endpoint: ManagedEndpoint) -> Reconciliation:
        observed = endpoint.observe()
        decision = reconcile(endpoint.record, observed, endpoint.engine.clock.now())
        # From the same observation: by a later one the change may have happened, and would be missed.
        changes = (replica.state.changes_at for replica in observed.replicas)
        return replace(decision, recheck_at=_earliest(decision.recheck_at, *changes))

    def _apply(self, endpoint: ManagedEndpoint, action: ReconcileAction) -> None:
        record = endpoint.record
        match action:
            case Launch():
                assert record.version is not None
                request = LaunchRequest(record.id, record.name, record.version.generation, record.version.spec)
                replica = endpoint.engine.launch(request, lambda: self.enqueue(record.id))
                endpoint.replicas.append(replica)
                endpoint.measured_starts.launched(replica.id, endpoint.engine.clock.now())
            case Stop(replica_id, drain):
                next(replica for replica in endpoint.replicas if replica.id == replica_id).stop(drain)
            case Reap(replica_id, attempts, at):
                endpoint.reap(replica_id)
                endpoint.attempts, endpoint.failed_at = attempts, at
                self.retry_waiting()
            case GiveUp(generation, message):
                endpoint.attempts = 0
                self._save_outcome(endpoint, record.failed(generation, message))
            case MarkServed():
                self._save_outcome(endpoint, record.with_served_version())
            case ScaleToZero():
                self._save_outcome(endpoint, record.with_power(PowerState.SCALED_TO_ZERO, record.updated_ns))

    def retry_waiting(self) -> None:
        """Look again whether there is capacity for the endpoints that lack it."""
        for endpoint in self._endpoints.values():
            if endpoint.lacks_capacity:
                self.enqueue(endpoint.record.id)

    def _save_outcome(self, endpoint: ManagedEndpoint, record: EndpointRecord) -> None:
        """Record what happened to an endpoint. If the disk is full it is kept, and written with the next save."""
        endpoint.record = record
        try:
            self._save(record)
        except NotSaved as error:
            logger.warning("endpoint %s: %s", record.name, error)
            self._unsaved[record.id] = record

    def _save(self, record: EndpointRecord, *events: AuditEvent) -> None:
        unsaved = [unsaved for unsaved in self._unsaved.values() if unsaved.id != record.id]
        self._store.save([*unsaved, record], events)
        self._unsaved.clear()


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
