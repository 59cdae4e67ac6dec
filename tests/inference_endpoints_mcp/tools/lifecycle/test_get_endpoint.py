"""Showing one endpoint: small, cleaned, with times in one form."""

import re

import pytest
from tests.support.host import OUTPUT_LIMIT, Host, size_of
from tests.support.plane_driver import Driver

pytestmark = pytest.mark.anyio


async def test_a_huge_configuration_still_gives_a_small_output(driver: Driver, modern: Host) -> None:
    many = {f"VARIABLE_{number}": "x" * 2_000 for number in range(200)}
    model = {"env": many, "secrets": dict.fromkeys(many, "s"), "args": ["--long-argument" * 50] * 200}
    assert (await driver.create(model=model, tags=["t" * 500] * 100)).status == 200
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    assert size_of(facts) < OUTPUT_LIMIT
    assert "left out" in facts["now"]
    planned = await modern.call(
        "update_endpoint", endpoint_name="chat", config={"model": {"env": dict.fromkeys(many, "y" * 500)}}, dry_run=True
    )
    assert size_of(planned) < OUTPUT_LIMIT


async def test_text_of_others_in_an_endpoint_is_cleaned(driver: Driver, modern: Host) -> None:
    hidden = "a\x1b[31mb\u202ec\u200bd\U000e0041"
    await driver.create(model={"repository": f"org/{hidden}", "env": {"NOTE": hidden}, "args": [hidden]}, tags=[hidden])
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    row = (await modern.call("list_endpoints"))["endpoints"][0]
    assert facts["repository"] == row["repository"] == "org/abcd"
    assert (facts["env"].splitlines()[1:-1], facts["args"].splitlines()[1:-1]) == (["NOTE=abcd"], ["abcd"])
    assert "abcd" in facts["tags"]
    assert "\x1b" not in facts["tags"]


async def test_times_have_one_format(driver: Driver, modern: Host) -> None:
    await driver.create()
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    for time in (facts["created_at"], facts["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
