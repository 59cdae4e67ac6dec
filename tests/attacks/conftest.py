"""The hosts of servers that stand on a simulated plane, and clients of the scripted service."""

from tests.inference_endpoints.conftest import backend as backend
from tests.inference_endpoints.conftest import endpoints as endpoints
from tests.inference_endpoints.conftest import http as http
from tests.inference_endpoints.conftest import sleep as sleep
from tests.inference_endpoints.conftest import slept as slept
from tests.inference_endpoints_mcp.conftest import host_of as host_of
from tests.inference_endpoints_mcp.conftest import mode as mode
