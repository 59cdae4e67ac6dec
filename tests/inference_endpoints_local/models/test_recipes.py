"""The catalogue: what is in it, and that every recipe and suggestion can be deployed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub._inference_endpoints import InferenceCatalogModel
from tests.inference_endpoints_local.models.test_catalogue import gguf
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.engines.programs import from_catalogue
from inference_endpoints_local.models import catalogue
from inference_endpoints_local.models.cloud_capacity import CloudCapacity
from inference_endpoints_local.models.instances import InstanceCatalogue, ThisMachine
from inference_endpoints_local.models.recipes import RecipeCatalogue

pytestmark = pytest.mark.anyio

REAL, SIMULATED = (
    RecipeCatalogue(InstanceCatalogue(ThisMachine(2), simulated, 16, CloudCapacity())) for simulated in (False, True)
)


@pytest.mark.parametrize("recipes", [REAL, SIMULATED], ids=["real", "simulated"])
def test_huggingface_hub_reads_every_item_and_each_recipe_leads_back_to_its_model(recipes: RecipeCatalogue) -> None:
    for item in recipes.items():
        read = InferenceCatalogModel.from_raw(dict(item))
        recipe = recipes.by_id(read.recipes[0].id)
        assert recipe is not None
        assert (recipe.repository, recipe.license) == (read.repo_id, read.license)
    assert recipes.by_id("unheard-of") is None


def test_without_the_simulation_there_is_only_what_runs_here() -> None:
    real, simulated = ({item["repoId"] for item in recipes.items()} for recipes in (REAL, SIMULATED))
    assert real == {model.repository for model in catalogue.installed_models()}
    assert real < simulated


@pytest.mark.parametrize(
    ("repository", "hardware"),
    [
        ("fasttext/lid.176-ftz", "local-machine-cpu-x1"),
        ("BAAI/bge-base-en-v1.5", "aws-eu-west-1-intel-spr-x1"),
        ("meta-llama/llama-3.2-1b-instruct", "aws-eu-west-1-nvidia-t4-x1"),
        ("meta-llama/Llama-3.1-8B-Instruct", "gcp-us-east4-nvidia-l4-x1"),
        ("meta-llama/Llama-3.3-70B-Instruct", "aws-us-east-1-nvidia-l40s-x4"),
    ],
)
def test_the_cheapest_hardware_that_holds_a_model_is_suggested(repository: str, hardware: str) -> None:
    suggestion = SIMULATED.suggestion(repository)
    assert suggestion is not None
    assert suggestion["suggestedCompute"] == hardware


def test_a_model_over_several_accelerators_is_split() -> None:
    suggestion = SIMULATED.suggestion("meta-llama/Llama-3.3-70B-Instruct")
    assert suggestion is not None
    assert suggestion["image"]["vLLM"]["tensorParallelSize"] == 4


def test_a_recipe_sets_the_longest_context_that_fits() -> None:
    small, whole = (
        SIMULATED.for_model(name) for name in ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen2.5-7B-Instruct")
    )
    assert small is not None
    assert whole is not None
    assert small.create_body("new")["model"]["args"] == ["--max-model-len", "33792"]
    assert "args" not in whole.create_body("new")["model"]


@pytest.mark.parametrize("spelling", [str, Path.as_uri])
def test_a_gguf_file_on_this_machine_has_a_suggestion_too(tmp_path: Path, spelling: Callable[[Path], str]) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(gguf())
    suggestion = REAL.suggestion(spelling(path))
    assert suggestion is not None
    assert (suggestion["framework"], suggestion["suggestedCompute"]) == ("llamacpp", "local-machine-cpu-x1")
    assert REAL.suggestion(str(tmp_path / "none.gguf")) is None


async def test_every_recipe_can_be_deployed(plane_of: PlaneOf) -> None:
    async with plane_of(programs=from_catalogue, cloud_quota=100, cores=len(catalogue.installed_models())) as driver:
        for item in SIMULATED.items():
            path = f"/api/v1/catalog/model/{item['repoId']}/deploy"
            answer = await driver.call("POST", path, {"namespace": "acme"})
            assert answer.status == 200, (item, answer.body)
            assert answer.body["endpoint"]["model"]["task"] == item["task"]


async def test_a_suggestion_is_requested_by_model_and_requires_the_token(driver: Driver) -> None:
    path = "/api/configuration?model_id=Qwen/Qwen2.5-7B-Instruct"
    answer = await driver.call("GET", path)
    assert set(answer.body) == {"suggestedCompute", "task", "framework", "image"}
    assert (await driver.call("GET", path, token=None)).status == 401
    for unknown in ("?model_id=org/unheard-of", "?model_id=/etc/passwd", "?model_id=%00", ""):
        assert (await driver.call("GET", "/api/configuration" + unknown)).status == 404


@pytest.mark.parametrize("repository", ["HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M-Instruct", "smollm2", ""])
def test_a_recipe_is_found_by_the_whole_name_of_its_model_alone(repository: str) -> None:
    assert REAL.for_model(repository) is None
