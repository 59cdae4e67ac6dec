"""The Hub's pages that a plane serves: of the models that run here, and with the simulation of some of the Hub."""

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.models import catalogue

pytestmark = pytest.mark.anyio

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


async def test_the_simulation_knows_size_shape_and_access_of_models_of_the_hub(driver: Driver) -> None:
    page = (await driver.call("GET", f"/api/models/{LLAMA.lower()}")).body
    assert (page["id"], page["gated"]) == (LLAMA, "manual")
    assert page["safetensors"]["parameters"] == {"BF16": 8_030_000_000}
    config = (await driver.call("GET", f"/{LLAMA}/raw/main/config.json")).body
    assert (config["num_hidden_layers"], config["num_key_value_heads"]) == (32, 8)


async def test_models_are_found_by_a_part_of_the_name_and_by_their_owner(driver: Driver) -> None:
    for query in ("search=llama-3.1", "author=meta-llama&limit=1", "author=meta-llama&search=3.1-8b"):
        found = (await driver.call("GET", f"/api/models?{query}")).body
        assert [model["id"] for model in found] == [LLAMA]
    assert (await driver.call("GET", "/api/models?search=unheard-of")).body == []


async def test_without_the_simulation_only_the_models_of_this_machine_are_known(plane_of: PlaneOf) -> None:
    async with plane_of(simulated=False) as driver:
        found = (await driver.call("GET", "/api/models")).body
        assert {model["id"] for model in found} == {model.repository for model in catalogue.shipped_models()}
        for path in (f"/api/models/{LLAMA}", f"/{LLAMA}/raw/main/config.json"):
            assert (await driver.call("GET", path)).status == 404
