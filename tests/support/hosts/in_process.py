"""The SDK's transport to a server in this process. It has no public name: only this module knows where it is."""

from mcp.client._memory import InMemoryTransport as InMemoryTransport
from mcp.client._transport import Transport as Transport
