"""The handlers that control a simulation: its clock, its load and its faults."""

from starlette.requests import Request

from inference_endpoints_local.api.request_handling import Handler, read_body
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.lifecycle import Lifecycle
from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.engines.simulated import SimulatedEngine
from inference_endpoints_local.models.instances import InstanceCatalogue, cloud_instance
from inference_endpoints_local.state.clock import ControllableClock
from inference_endpoints_local.state.faults import Faults
from inference_endpoints_local.wire import responses, routes
from inference_endpoints_local.wire.parsing import parse_as
from inference_endpoints_local.wire.requests import AdvanceClockBody, ArmFaultBody, SetCapacityBody, SimulateLoadBody
from inference_endpoints_local.wire.routes import RouteContract


class SimulationHandlers:
    """Handlers that only a plane with a simulation serves."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        executor: Executor,
        clock: ControllableClock,
        faults: Faults,
        instances: InstanceCatalogue,
    ) -> None:
        self._instances = instances
        self._lifecycle = lifecycle
        self._executor = executor
        self._clock = clock
        self._faults = faults

    def handlers(self) -> list[tuple[RouteContract, Handler]]:
        return [
            (routes.ADVANCE_CLOCK, self._advance_clock),
            (routes.SIMULATE_LOAD, self._simulate_load),
            (routes.SET_CAPACITY, self._set_capacity),
            (routes.ARM_FAULT, self._arm_fault),
            (routes.CLEAR_FAULTS, self._clear_faults),
        ]

    async def _advance_clock(self, request: Request) -> responses.ClockDocument:
        body = parse_as(AdvanceClockBody, await read_body(request))
        self._executor.step()
        self._clock.advance(body.advance_s)
        return {"now": self._clock.now()}

    async def _simulate_load(self, request: Request) -> responses.EmptyDocument:
        """Set the load of a simulated endpoint. Calls cannot cause it, since they end at once."""
        body = parse_as(SimulateLoadBody, await read_body(request))
        endpoint = self._lifecycle.find(body.name)
        if endpoint.engine.name != SimulatedEngine.name:
            raise RequestRefused(
                400, f"VALIDATION_FAILED: name: {body.name} is not simulated; its load is that of its requests"
            )
        self._executor.simulate_load(endpoint, body.requests)
        return {}

    async def _set_capacity(self, request: Request) -> responses.EmptyDocument:
        """Let hardware be scarce, or plentiful again. What waits for it starts if there is room now."""
        body = parse_as(SetCapacityBody, await read_body(request))
        if cloud_instance(body.hardware) is None:
            raise RequestRefused(400, f"VALIDATION_FAILED: hardware: there is no cloud hardware {body.hardware}")
        self._instances.capacity.set_limit(body.hardware, body.replicas)
        self._executor.retry_waiting()
        return {}

    async def _arm_fault(self, request: Request) -> responses.EmptyDocument:
        body = parse_as(ArmFaultBody, await read_body(request))
        self._faults.arm(body.fault, body.operation, body.times)
        return {}

    async def _clear_faults(self, _: Request) -> responses.EmptyDocument:
        self._faults.clear()
        return {}
