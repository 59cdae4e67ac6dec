"""Fetches a file by its URL, only from hosts that were allowed, and never from an address inside a network.

The name is resolved once and the connection made to that address, so that a second answer of the name server changes
nothing. Every redirect is checked like the first address. No token, cookie or proxy is used.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urljoin, urlsplit

import anyio

from inference_endpoints.errors import BadRequest, InferenceEndpointTimeoutError, Refused, Unavailable
from inference_endpoints.transport.http import httpx, read_up_to

MAX_REDIRECTS = 3
TIMEOUT_S = 30.0
_HTTPS_PORT = 443

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a host."""


async def resolve_host(host: str) -> Sequence[str]:
    found = await anyio.getaddrinfo(host, _HTTPS_PORT, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class FileFetcher:
    """Fetches from hosts of the operator. `.acme.example` are all hosts below it. `transport` is for tests."""

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        resolve: Resolve = resolve_host,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._hosts = hosts
        self._resolve = resolve
        self._transport = transport

    def allows(self, url: str) -> bool:
        """Whether the URL names an allowed host. Nothing is sent."""
        try:
            host = (urlsplit(url).hostname or "").lower()
        except ValueError:
            return False
        return any(host == known or (known.startswith(".") and host.endswith(known)) for known in self._hosts)

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """The content of a file of at most `max_bytes`.

        Raises `Refused` for a host that is not allowed or is inside a network, `BadRequest` for another scheme or a
        file that is too large, `Unavailable` or `InferenceEndpointTimeoutError` if it cannot be fetched.
        """
        with anyio.move_on_after(TIMEOUT_S) as scope:
            async with httpx.AsyncClient(
                transport=self._transport, trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
            ) as client:
                for _ in range(1 + MAX_REDIRECTS):
                    content, following = await self._fetch_once(client, url, max_bytes)
                    if following is None:
                        return content
                    url = urljoin(url, following)
                raise Refused("The file's address redirects too often: it was not fetched.")
        assert scope.cancelled_caught
        raise InferenceEndpointTimeoutError(f"The file was not fetched within {TIMEOUT_S:g} s.", hint="Try again.")

    async def _fetch_once(self, client: httpx.AsyncClient, url: str, max_bytes: int) -> tuple[bytes, str | None]:
        """The content, or the address that it redirects to."""
        try:
            parts = urlsplit(url)
            is_plain = parts.scheme == "https" and parts.port in (None, _HTTPS_PORT)
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:
            is_plain = False
        if not is_plain or parts.username or parts.password:
            raise BadRequest("A file is fetched by a plain https URL.", hint="Without a user, a password or a port.")
        if not self.allows(url):
            raise Refused(
                "The host of the file is not one that the operator allows: it was not fetched.",
                hint="The operator allows hosts with --media-hosts.",
            )
        address = await self._public_address(host)
        target = parts._replace(netloc=f"[{address}]" if ":" in address else address, fragment="").geturl()
        try:
            async with client.stream(
                "GET", target, headers={"Host": host, "Accept": "*/*"}, extensions={"sni_hostname": host}
            ) as response:
                if response.is_redirect:
                    return b"", response.headers.get("location", "")
                if not response.is_success:
                    raise Unavailable(f"The file cannot be fetched: its host answered {response.status_code}.")
                content = await read_up_to(response, max_bytes + 1)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Unavailable("The file cannot be fetched: its host cannot be reached.", hint="Try again.") from error
        if len(content) > max_bytes:
            raise BadRequest(f"The file is larger than {max_bytes // 1024 // 1024} MiB.", hint="Use a smaller one.")
        return content, None

    async def _public_address(self, host: str) -> str:
        """An address of the host. Raises `Refused` if any of them is no public one."""
        try:
            addresses = await self._resolve(host)
        except OSError as error:
            raise Unavailable("The file cannot be fetched: its host has no address.") from error
        if not addresses or not all(map(_is_public, addresses)):
            raise Refused("The host of the file has an address inside a network: it was not fetched.")
        return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return _is_public(str(embedded))
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or site_local)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
