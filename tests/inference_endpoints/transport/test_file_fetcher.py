"""Fetching a file by its URL: from allowed hosts, at public addresses, with bounds; and from nowhere else."""

from collections.abc import Callable, Sequence

import pytest

from inference_endpoints.errors import BadRequest, InferenceEndpointError, Refused, Unavailable
from inference_endpoints.transport.file_fetcher import FileFetcher
from inference_endpoints.transport.http import httpx

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.215.14"
URL = "https://images.example/cat.png"
Handler = Callable[[httpx.Request], httpx.Response]


def fetcher(handler: Handler, addresses: Sequence[str] = (PUBLIC,)) -> FileFetcher:
    async def resolve(host: str) -> Sequence[str]:
        return addresses

    hosts = ("images.example", ".acme.example")
    return FileFetcher(hosts, resolve=resolve, transport=httpx.MockTransport(handler))


async def test_a_file_is_fetched_from_the_address_that_was_checked_in_the_name_of_its_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"a cat")

    assert await fetcher(answer).fetch(URL + "?size=1#part", 10) == b"a cat"
    (request,) = seen
    assert str(request.url) == f"https://{PUBLIC}/cat.png?size=1"
    assert request.headers["host"] == request.extensions["sni_hostname"] == "images.example"
    assert not {"authorization", "cookie"} & set(request.headers)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),  # noqa: S104
        *("::1", "fe80::1", "fec0::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"),
    ],
)
async def test_no_address_inside_a_network_is_reached(address: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    for addresses in ([address], [PUBLIC, address]):
        with pytest.raises(Refused, match="inside a network"):
            await fetcher(answer, addresses).fetch(URL, 10)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://evil.example/cat.png", Refused),
        ("https://images.example.evil.example/cat.png", Refused),
        ("https://acme.example/cat.png", Refused),
        ("https://evil.example@images.example/cat.png", BadRequest),
        ("https://images.example:8443/cat.png", BadRequest),
        ("http://images.example/cat.png", BadRequest),
        ("ftp://images.example/cat.png", BadRequest),
    ],
)
async def test_only_plain_addresses_of_allowed_hosts_are_fetched(url: str, error: type[InferenceEndpointError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    with pytest.raises(error):
        await fetcher(answer).fetch(url, 10)


async def test_a_redirect_is_checked_like_the_first_address() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        places = {"/a": "/b", "/b": "https://cdn.acme.example/c", "/out": "https://evil.example/", "/loop": "/loop"}
        if (place := places.get(request.url.path)) is not None:
            return httpx.Response(302, headers={"location": place})
        return httpx.Response(200, content=request.headers["host"].encode())

    assert await fetcher(answer).fetch("https://images.example/a", 100) == b"cdn.acme.example"
    with pytest.raises(Refused, match="not one that the operator allows"):
        await fetcher(answer).fetch("https://images.example/out", 100)
    with pytest.raises(Refused, match="redirects too often"):
        await fetcher(answer).fetch("https://images.example/loop", 100)


async def test_a_file_that_is_too_large_or_not_there_is_an_error_of_the_tree() -> None:
    with pytest.raises(BadRequest, match="larger than"):
        await fetcher(lambda _: httpx.Response(200, content=b"x" * 11)).fetch(URL, 10)
    with pytest.raises(Unavailable, match="answered 404"):
        await fetcher(lambda _: httpx.Response(404)).fetch(URL, 10)
