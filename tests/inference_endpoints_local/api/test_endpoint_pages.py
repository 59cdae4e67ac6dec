"""Lists of endpoints: their order, filters, pages, and the search for names."""

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf

pytestmark = pytest.mark.anyio


async def test_a_list_is_paged_filtered_and_counted(driver: Driver) -> None:
    for number in range(5):
        await driver.create(f"{'chat' if number % 2 else 'embed'}-{number}", tags=["team-a"] if number < 3 else [])
    names: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await driver.call("GET", f"/v2/endpoint/acme?limit=2{cursor}")).body
        assert page["totalItems"] == 5
        names += [endpoint["name"] for endpoint in page["items"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert page["nextCursor"] is None
    assert names == ["embed-4", "chat-3", "embed-2", "chat-1", "embed-0"]
    previous = (await driver.call("GET", f"/v2/endpoint/acme?limit=2&cursor={page['prevCursor']}")).body
    assert [endpoint["name"] for endpoint in previous["items"]] == ["embed-2", "chat-1"]
    found = (await driver.call("GET", "/v2/endpoint/acme?search=chat&tags=team-a")).body
    assert [endpoint["name"] for endpoint in found["items"]] == ["chat-1"]
    for query in ("limit=x", "limit=-1", "cursor=nonsense", "sortBy=size", "direction=up"):
        assert (await driver.call("GET", f"/v2/endpoint/acme?{query}")).status == 400


async def test_a_page_is_twenty_by_default_and_deleting_between_pages_loses_nothing(plane_of: PlaneOf) -> None:
    async with plane_of(cloud_quota=100) as driver:
        for number in range(25):
            await driver.create(f"e{number:02}")
        first = (await driver.call("GET", "/v2/endpoint/acme")).body
        assert len(first["items"]) == 20
        await driver.call("DELETE", "/v2/endpoint/acme/e05")
        second = (await driver.call("GET", f"/v2/endpoint/acme?cursor={first['nextCursor']}")).body
        assert [endpoint["name"] for endpoint in second["items"]] == [f"e{number:02}" for number in range(4, -1, -1)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sortBy=name&direction=asc", ["a", "b", "c"]),
        ("sortBy=updatedAt", ["a", "c", "b"]),
        ("direction=asc", ["b", "a", "c"]),
        ("type=public,private", ["c"]),
        ("state=paused", ["a"]),
        ("task=custom&state=pending", ["c", "b"]),
        ("state=running", []),
    ],
)
async def test_a_list_is_sorted_and_filtered_as_documented(driver: Driver, query: str, names: list[str]) -> None:
    for name, access in (("b", "authenticated"), ("a", "authenticated"), ("c", "public")):
        await driver.create(name, type=access)
    await driver.do("a", "pause")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await driver.call("GET", f"/v2/endpoint/acme?{query}&limit=1&cursor={cursor}")).body
        seen += [endpoint["name"] for endpoint in page["items"]]
        cursor = page["nextCursor"]
    assert seen == names


async def test_a_search_returns_names_alone(driver: Driver) -> None:
    for name in ("chat-a", "chat-b", "embed"):
        await driver.create(name)
    found = (await driver.call("GET", "/v2/search/acme?search=chat&limit=1")).body
    assert found == {"items": [{"name": "chat-a"}]}
