"""The hosts of servers that stand on a simulated plane, as the tests of the server have them."""

from tests.inference_endpoints_mcp.conftest import host_of as host_of
from tests.inference_endpoints_mcp.conftest import mode as mode
