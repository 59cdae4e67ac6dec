"""The walk of the real API, on the embedded plane: so that it works when someone has a token to walk with."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints_mcp.live.walk import READING

pytestmark = pytest.mark.anyio


async def test_the_walk_finds_an_embedded_plane_as_documented(driver: Driver) -> None:
    assert (await driver.create()).status == 200
    await driver.advance(600)
    means = {
        "INFERENCE_ENDPOINTS_LIVE": "1",
        "INFERENCE_ENDPOINTS_URL": driver.plane.url,
        "INFERENCE_ENDPOINTS_TOKEN": TOKEN,
        "HF_TOKEN": "hf_never_sent",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading all would take longer than the walk
    }
    walk = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "pytest",
            str(Path(__file__).with_name("test_live.py")),
            "-p",
            "no:cacheprovider",
            "-p",
            "pytest_timeout",
        ),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | means,
    )
    output, _ = await walk.communicate()
    assert walk.returncode == 0, output.decode()
    assert f"{len(READING) - 1} passed, 1 skipped".encode() in output  # the service's debugger is not started
