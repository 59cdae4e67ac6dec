"""Every list that does not end with its page proposes the call for the next one."""

from typing import Any

import pytest
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver
from tests.support.planes.scenarios import L4

pytestmark = pytest.mark.anyio

LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "list_endpoints": ("endpoints", {"sort": "name"}),
    "get_endpoint_replicas": ("replicas", {"endpoint_name": "one"}),
    "get_costs": ("endpoints", {}),
    "get_quotas": ("quotas", {"vendor": "aws"}),
    "get_vendors": ("hardware", {"vendor": "gcp", "accelerator": "gpu"}),
    "list_catalog_items": ("models", {"task": "text-generation"}),
}


@pytest.mark.parametrize("tool", LISTS)
async def test_following_the_pages_gives_each_row_once(driver: Driver, modern: Host, tool: str) -> None:
    replicas = {"scaling": {"minReplica": 2, "maxReplica": 2}}
    for name in ("one", "two"):
        assert (await driver.create(name, compute=L4 | replicas)).status == 200
    rows, arguments = LISTS[tool]
    page = await modern.call(tool, **arguments, limit=1)
    seen = page[rows]
    while "next_offset" in page:
        following = page["next"][0]
        assert following == {"tool": tool, "arguments": {**arguments, "limit": 1, "offset": page["next_offset"]}}
        page = await modern.call(tool, **following["arguments"])
        seen += page[rows]
    assert len(seen) == page["total"] > 1
    assert all(row not in seen[:index] for index, row in enumerate(seen))
    assert all(call["tool"] != tool for call in page["next"])
