"""The responses of simulated faults."""

from starlette.responses import Response

from inference_endpoints_local.api.hang_up import HangUpResponse
from inference_endpoints_local.api.request_handling import error_response
from inference_endpoints_local.state.faults import Fault

_ERRORS: dict[Fault, tuple[int, str, dict[str, str]]] = {
    Fault.NO_CAPACITY: (400, "Bad Request: Compute instance not available yet", {}),
    Fault.QUOTA_EXCEEDED: (409, "Conflict: Quota exceeded", {}),
    Fault.RATE_LIMITED: (429, "Too Many Requests", {"retry-after": "1"}),
    Fault.SERVER_ERROR: (500, "Internal Server Error", {}),
    Fault.NOT_IMPLEMENTED: (501, "Not Implemented", {}),
    Fault.SERVICE_UNAVAILABLE: (503, "503 Service Unavailable", {}),
    Fault.NOT_STOPPED: (400, "Bad Request: workload is not stopped", {}),
}


def fault_response(fault: Fault) -> Response:
    """The response that replaces the operation's own."""
    return HangUpResponse() if fault is Fault.DROP_ANSWER else error_response(*_ERRORS[fault])
