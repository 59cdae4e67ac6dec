"""Attacks by the environment of an endpoint on this machine: each variable makes a loader, an interpreter or a library
run code or read files of a stranger's choice."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf, tiny_programs

from inference_endpoints_local.engines.programs import Program, from_catalogue
from inference_endpoints_local.models import catalogue
from inference_endpoints_local.state.record import Spec

pytestmark = pytest.mark.anyio

HOSTILE = (
    *("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONBREAKPOINT", "BASH_ENV", "PATH", "HOME"),
    *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSLKEYLOGFILE", "GIO_EXTRA_MODULES"),
    *("MALLOC_CONF", "MALLOC_CHECK_", "TCMALLOC_SAMPLE_PARAMETER", "MIMALLOC_SHOW_STATS", "JE_MALLOC_CONF"),
    *("GGML_BACKEND_PATH", "GGML_VK_VISIBLE_DEVICES", "LLAMA_CACHE", "LLAMA_ARG_MODEL", "OMP_TOOL_LIBRARIES"),
    *("OPENBLAS_CORETYPE", "MKL_VERBOSE", "CUDA_INJECTION64_PATH", "VK_LAYER_PATH", "OCL_ICD_VENDORS", "HSA_TOOLS_LIB"),
    *(
        "HTTPS_PROXY",
        "HF_ENDPOINT",
        "HF_HOME",
        "RUST_LOG",
        "TMPDIR",
        "TZ",
        "LANG",
        "COVERAGE_PROCESS_START",
        "NEVER_SEEN",
    ),
)
MODELS = [model.repository for model in catalogue.installed_models()]


@pytest.mark.parametrize("kind", ["env", "secrets"])
async def test_no_worker_of_this_machine_gets_a_variable_that_its_engine_does_not_read(
    plane_of: PlaneOf, kind: str
) -> None:
    async with plane_of(programs=from_catalogue) as driver:
        for repository in MODELS:
            for name in (*HOSTILE, *map(str.lower, HOSTILE)):
                answer = await driver.create_local("own", model={"repository": repository, kind: {name: "/x"}})
                assert (answer.status, answer.body["code"]) == (422, "UNPROCESSABLE_ENTITY")
                assert (
                    f"model.{kind}: {name} is no variable that the worker of this model reads" in answer.body["error"]
                )


async def test_an_update_adds_no_such_variable_either(driver: Driver) -> None:
    await driver.create_local()
    for kind in ("env", "secrets"):
        change = {"model": {kind: {"OPENSSL_CONF": "/x"}}}
        assert (await driver.call("PUT", "/v2/endpoint/acme/tiny", change)).status == 422
    assert (await driver.get("tiny"))["model"]["env"] == {}


async def test_a_stored_endpoint_with_such_a_variable_does_not_start(plane_of: PlaneOf) -> None:
    """One of an earlier version, which accepted others."""

    def earlier(spec: Spec) -> Program:
        return replace(tiny_programs(spec), variables=frozenset({"OPENSSL_CONF"}))

    async with plane_of(programs=earlier) as driver:
        assert (await driver.create_local(model={"env": {"OPENSSL_CONF": "/x"}})).status == 200
        await driver.do("tiny", "pause")
    async with plane_of() as driver:
        await driver.do("tiny", "resume")
        assert "OPENSSL_CONF" in (await driver.reach("tiny", "failed"))["status"]["errorMessage"]


async def test_simulated_hardware_accepts_any_variable_as_the_service_does(driver: Driver) -> None:
    assert (await driver.create(model={"env": {"OPENSSL_CONF": "/x", "LD_PRELOAD": "/y"}})).status == 200


async def test_a_worker_gets_nothing_of_the_planes_environment(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (*HOSTILE, "HF_TOKEN", "INFERENCE_ENDPOINTS_TOKEN"):
        if name not in ("PATH", "HOME", "TMPDIR", "LANG", "LD_PRELOAD", "PYTHONHOME"):
            monkeypatch.setenv(name, TOKEN)
    monkeypatch.chdir(tmp_path)
    await driver.create_local(model={"env": {"MINE": "1"}})
    await driver.reach("tiny", "running")
    environment = (await driver.call_endpoint()).body["environment"]
    assert environment.pop("MINE") == "1"
    assert environment.keys() <= {"LANG", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


async def test_a_module_in_the_planes_working_folder_is_not_imported_by_a_worker(
    plane_of: PlaneOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap, caught = tmp_path / "folder", tmp_path / "caught"
    trap.mkdir()
    for name in ("fasttext", "starlette", "uvicorn", "sitecustomize", "usercustomize", "inference_endpoints_local"):
        (trap / f"{name}.py").write_text(f"open({str(caught)!r}, 'w')")
    monkeypatch.chdir(trap)
    async with plane_of(programs=from_catalogue) as driver:
        await driver.create_local("own", model={"repository": "fasttext/lid.176-ftz"})
        await driver.reach("own", "running")
    assert not caught.exists()
