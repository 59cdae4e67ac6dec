"""The executor: sees what is there, asks `reconcile`, does what it says. The only writer of status.

`step` is synchronous and does everything that is due now, so it can be driven without a loop and without sleeping.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from inference_endpoints_local.control.autoscale import rule_of
from inference_endpoints_local.control.endpoint import Entry
from inference_endpoints_local.control.reconcile import (
    Action,
    Bury,
    Decision,
    GiveUp,
    Launch,
    Served,
    Sleep,
    Stop,
    reconcile,
)
from inference_endpoints_local.engines.base import LIVE, Engine, Order
from inference_endpoints_local.state.audit_log import Event, EventKind, event_of
from inference_endpoints_local.state.clock import Clock, wall_ns
from inference_endpoints_local.state.logs import LogBook
from inference_endpoints_local.state.record import Power, Record
from inference_endpoints_local.state.store import NotSaved, Store

logger = logging.getLogger(__name__)

UNNOTED = 1_000
"""Events kept for the audit log while the disk has no room for them."""


class Runner:
    """Keeps every endpoint what it should be. Changes are durable before they are seen; raises NotSaved otherwise."""

    def __init__(self, store: Store, engines: Mapping[str, Engine], logs: LogBook) -> None:
        self._store = store
        self._engines = engines
        self._logs = logs
        self._entries: dict[str, Entry] = {}
        self._named: dict[tuple[str, str], Entry] = {}
        self._dirty: set[str] = set()
        self._unsaved: dict[str, Record] = {}
        self._unnoted: deque[Event] = deque(maxlen=UNNOTED)
        self._wake = asyncio.Event()
        for record in store.load():
            self._adopt(record)

    def __iter__(self) -> Iterator[Entry]:
        """Every endpoint that was not deleted, oldest first."""
        return iter(self._named.values())

    def find(self, namespace: str, name: str) -> Entry | None:
        return self._named.get((namespace, name))

    def at(self, endpoint_id: str) -> Entry | None:
        """The endpoint of that id, unless it was deleted."""
        entry = self._entries.get(endpoint_id)
        return entry if entry and entry.record.power is not Power.GONE else None

    def busy(self, engine: str) -> bool:
        """Whether any replica of an engine runs, starts or ends, or should."""
        ours = (entry for entry in self._entries.values() if entry.record.engine == engine)
        return any(entry.replicas or entry.record.runs for entry in ours)

    def add(self, record: Record, event: Event) -> Entry:
        self._save(record, event)
        return self._adopt(record)

    def change(self, entry: Entry, record: Record, event: Event) -> None:
        """Take a new wish: saved, and shown at once; acted on in the next step, with a fresh set of attempts."""
        self._save(record, event)
        entry.record = record
        entry.attempts = 0
        entry.status = self._decide(entry).status
        self.poke(record.id)

    def remove(self, entry: Entry, event: Event) -> None:
        record = entry.record
        self._store.delete(record.id, [event])
        self._unsaved.pop(record.id, None)
        entry.record = replace(record, power=Power.GONE)
        del self._named[record.namespace, record.name]
        self.poke(record.id)

    @contextmanager
    def request(self, entry: Entry) -> Iterator[None]:
        """A request is under way: a sleeping endpoint wakes, and has a load until it ends. Raises NotSaved."""
        self.use(entry)
        entry.load.add(1, entry.engine.clock.now())
        try:
            yield
        finally:
            entry.load.add(-1, entry.engine.clock.now())
            self.touch(entry)

    def pretend(self, entry: Entry, requests: int) -> None:
        """From now on so many requests are taken to be under way, though there are none. Raises NotSaved."""
        if requests:
            self.use(entry)
        entry.load.add(requests - entry.pretended, entry.engine.clock.now())
        entry.pretended = requests
        self.touch(entry)

    def use(self, entry: Entry) -> None:
        """A request came for it: it wakes if it sleeps."""
        if entry.record.power is Power.ZERO:
            woken = entry.record.turned(Power.WOKEN, entry.record.updated_ns)
            self.change(entry, woken, event_of(woken, EventKind.WOKEN))
        entry.used_ns = wall_ns()
        self.touch(entry)

    def touch(self, entry: Entry) -> None:
        """A request begins or ends now: it is not idle."""
        entry.used_at = entry.engine.clock.now()
        self.poke(entry.record.id)

    def poke(self, endpoint_id: str) -> None:
        """Something about this endpoint may be different: look at it in the next step."""
        self._dirty.add(endpoint_id)
        self._wake.set()

    def step(self) -> None:
        """Do everything that is due now."""
        while due := self._due():
            for endpoint_id in due:
                self._dirty.discard(endpoint_id)
                entry = self._entries.get(endpoint_id)
                if entry is None:
                    continue
                entry.again_at = None
                try:
                    self._work(entry)
                except Exception:
                    # One endpoint that cannot be handled must not stop the others.
                    logger.exception("endpoint %s could not be handled", entry.record.name)

    def next_stop(self, clock: Clock) -> float | None:
        """When, by this clock, something falls due."""
        times = (entry.again_at for entry in self._entries.values() if entry.engine.clock is clock)
        return min((time for time in times if time is not None), default=None)

    async def run(self) -> None:
        """Step whenever something changed or falls due, until cancelled."""
        while True:
            self._wake.clear()
            self.step()
            try:
                async with asyncio.timeout(self._seconds_left()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def until(self, entry: Entry, holds: Callable[[Entry], bool]) -> None:
        """Wait until something holds of an endpoint; asked anew whenever it was looked at."""
        while not holds(entry):
            watcher = asyncio.get_running_loop().create_future()
            entry.watchers.append(watcher)
            try:
                await watcher
            finally:
                if watcher in entry.watchers:
                    entry.watchers.remove(watcher)

    def _adopt(self, record: Record) -> Entry:
        entry = Entry(record, self._engines[record.engine])
        entry.status = self._decide(entry).status
        self._entries[record.id] = entry
        self._named[record.namespace, record.name] = entry
        self.poke(record.id)
        return entry

    def _due(self) -> list[str]:
        now = {engine.clock: engine.clock.now() for engine in self._engines.values()}
        due = set(self._dirty)
        for endpoint_id, entry in self._entries.items():
            if entry.again_at is not None and entry.again_at <= now[entry.engine.clock]:
                due.add(endpoint_id)
        return sorted(due)

    def _seconds_left(self) -> float | None:
        clocks = {engine.clock for engine in self._engines.values()}
        stops = ((clock, self.next_stop(clock)) for clock in clocks)
        waits = (clock.seconds_until(stop) for clock, stop in stops if stop is not None)
        return min((wait for wait in waits if wait is not None), default=None)

    def _work(self, entry: Entry) -> None:
        """Act until there is nothing left to do now."""
        measured_at = self._scale(entry)
        decision = self._decide(entry)
        while decision.actions:
            for action in decision.actions:
                self._do(entry, action)
            decision = self._decide(entry)
        entry.status = decision.status
        entry.measure()
        entry.starved = decision.starved
        changes = (replica.look().changes_at for replica in entry.replicas)
        times = (decision.again_at, measured_at, *changes)
        entry.again_at = min((time for time in times if time is not None), default=None)
        if entry.record.power is Power.GONE and not entry.replicas:
            del self._entries[entry.record.id]
            self._logs.drop(entry.record.id)
        for watcher in entry.watchers:
            if not watcher.done():
                watcher.set_result(None)
        entry.watchers.clear()

    def _scale(self, entry: Entry) -> float | None:
        """Let the load say how many replicas it takes, within the room there is; when to ask again."""
        record, version = entry.record, entry.record.version
        if version is None or not record.on or record.most == record.least:
            entry.load.rest()
            return None
        affordable = 0
        # What others need at least goes before what this one could have on top.
        others = (other for other in self._entries.values() if other is not entry and other.engine is entry.engine)
        if not any(other.starved for other in others):
            live = sum(replica.look().stage in LIVE for replica in entry.replicas)
            affordable = live + entry.engine.room(version.spec)
        return entry.load.look(rule_of(record, affordable), entry.ready, entry.used_at, entry.engine.clock.now())

    def _decide(self, entry: Entry) -> Decision:
        return reconcile(entry.record, entry.observed(), entry.engine.clock.now())

    def _do(self, entry: Entry, action: Action) -> None:
        record = entry.record
        match action:
            case Launch():
                assert record.version is not None
                order = Order(record.id, record.name, record.version.generation, record.version.spec)
                entry.replicas.append(entry.engine.launch(order, lambda: self.poke(record.id)))
            case Stop(replica, drain):
                next(one for one in entry.replicas if one.id == replica).stop(drain)
            case Bury(replica, attempts, at):
                entry.replicas = [one for one in entry.replicas if one.id != replica]
                entry.attempts, entry.failed_at = attempts, at
                self._poke_starved()
            case GiveUp(generation, message):
                entry.attempts = 0
                self._settle(entry, record.failed(generation, message), event_of(record, EventKind.FAILED))
            case Served():
                self._settle(entry, record.served())
            case Sleep():
                asleep = record.turned(Power.ZERO, record.updated_ns)
                self._settle(entry, asleep, event_of(asleep, EventKind.SCALED_TO_ZERO))

    def _poke_starved(self) -> None:
        for entry in self._entries.values():
            if entry.starved:
                self.poke(entry.record.id)

    def _settle(self, entry: Entry, record: Record, *events: Event) -> None:
        """Note what became of an endpoint. It is so whether or not the disk has room; the next save catches up."""
        entry.record = record
        try:
            self._save(record, *events)
        except NotSaved as error:
            logger.warning("endpoint %s: %s", record.name, error)
            self._unsaved[record.id] = record
            self._unnoted.extend(events)

    def _save(self, record: Record, *events: Event) -> None:
        late = [late for late in self._unsaved.values() if late.id != record.id]
        self._store.save([*late, record], [*self._unnoted, *events])
        self._unsaved.clear()
        self._unnoted.clear()
