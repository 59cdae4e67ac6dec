"""The walk of the real API, on the embedded plane: so that it works when someone has a token to walk with."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.support.plane_driver import TOKEN, Driver

pytestmark = pytest.mark.anyio


async def test_the_walk_finds_the_captured_shapes_on_the_embedded_plane(driver: Driver) -> None:
    assert (await driver.create()).status == 200
    means = {
        "INFERENCE_ENDPOINTS_LIVE": "1",
        "INFERENCE_ENDPOINTS_URL": driver.plane.url,
        "INFERENCE_ENDPOINTS_TOKEN": TOKEN,
        "HF_TOKEN": "hf_never_sent",
    }
    walk = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", str(Path(__file__).with_name("test_live.py")), "-p", "no:cacheprovider"),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | means,
    )
    output, _ = await walk.communicate()
    assert walk.returncode == 0, output.decode()
    assert b"7 passed" in output
