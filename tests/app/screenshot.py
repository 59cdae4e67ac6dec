"""Takes the picture of the dashboard in the README: `make screenshot`.

A real model runs on this machine beside simulated endpoints, and is asked for some minutes, so that the plots have
something to show.
"""

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from playwright.async_api import async_playwright
from tests.app.browser import find_browser
from tests.manifests.__main__ import REPOSITORY

from inference_endpoints_mcp.demo.script import CHAT_MODEL

PICTURE = REPOSITORY / ".github" / "dashboard.png"
SIZE = {"width": 1180, "height": 980}
ASKED_S = 270
L4, A100 = "aws-us-east-1-nvidia-l4-x1", "aws-us-east-1-nvidia-a100-x1"
SIMULATED: list[dict[str, Any]] = [
    {"endpoint_name": "support-llm", "repository": "Qwen/Qwen2.5-7B-Instruct", "hardware": A100, "max_replica": 3},
    {"endpoint_name": "search-embeddings", "repository": "BAAI/bge-m3", "hardware": L4, "min_replica": 1},
    {"endpoint_name": "summaries", "repository": "meta-llama/Llama-3.1-8B-Instruct", "hardware": L4},
]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "inference_endpoints_mcp", *arguments]


@asynccontextmanager
async def assistant(flags: list[str]) -> AsyncIterator[Client]:
    program, *arguments = command(*flags, "--confirm", "off", "--hold", "120")
    async with Client(stdio_client(StdioServerParameters(command=program, args=arguments))) as client:
        yield client


async def fill_fleet(client: Client) -> None:
    wishes = [{"endpoint_name": "assistant", "repository": CHAT_MODEL, "min_replica": 1}, *SIMULATED]
    for wish in wishes:
        await client.call_tool("create_endpoint", wish)
    await client.call_tool("wait_for_endpoint", {"endpoint_name": "assistant", "timeout_s": 120})
    await client.call_tool("pause_endpoint", {"endpoint_name": "summaries"})


async def ask_for_a_while(client: Client) -> None:
    """At first one at a time, then more and more at the same time."""
    end = asyncio.get_running_loop().time() + ASKED_S
    while (left := end - asyncio.get_running_loop().time()) > 0:
        together = 1 + round(3 * (1 - left / ASKED_S) * random.random())
        asked = {"endpoint_name": "assistant", "message": "Tell me a story about a cat.", "max_tokens": 40}
        await asyncio.gather(*(client.call_tool("chat_with_endpoint", asked) for _ in range(together)))
        await asyncio.sleep(3)


async def take_picture(link: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser())
        page = await browser.new_page(viewport=SIZE)  # type: ignore[arg-type,unused-ignore]
        await page.goto(link)
        await page.get_by_role("row", name="assistant").click()
        await page.get_by_label("Time", exact=True).select_option("5")
        await page.get_by_role("figure", name="Time to first token").locator("canvas").wait_for()
        await page.screenshot(path=PICTURE)
        await browser.close()


async def show(flags: list[str], link: str) -> None:
    async with assistant(flags) as client:
        await fill_fleet(client)
        await ask_for_a_while(client)
        await take_picture(link)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--local", "--simulated", "--simulated-speed", "20", "--data-dir", str(Path(folder, "plane"))]
        dashboard = subprocess.Popen(command("dashboard", "--no-browser", *flags), stdout=subprocess.PIPE, text=True)
        assert dashboard.stdout is not None
        try:
            asyncio.run(show(flags, dashboard.stdout.readline().split()[-1]))
        finally:
            dashboard.terminate()
            dashboard.wait()
            subprocess.run(command("control-plane", "stop", *flags[-2:]), check=True)


if __name__ == "__main__":
    main()
