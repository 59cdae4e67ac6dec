"""The container image of an endpoint: an object with exactly one key, which names the engine."""

from collections.abc import Mapping
from typing import Any

from pydantic import RootModel

# Source of both: the service's OpenAPI document 2.0.0.
PARALLELISM_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "vLLM": ("tensorParallelSize", "dataParallelSize"),
    "sGLang": ("tensorParallelSize",),
}
"""Keys of images whose engine uses one accelerator by default, each with the settings that raise the number."""
IMAGES_WITHOUT_URL = frozenset({"huggingface", "huggingfaceNeuron", "llamacpp", "hfServe"})
"""Keys of images that need no `url`."""


class Image(RootModel[dict[str, Any]], defer_build=True):
    """`{"huggingface": {}}`, `{"vLLM": {"url": …, "tensorParallelSize": 2}}`, and so on.

    The variants gain fields faster than any client could follow, and an image is always sent back whole,
    so the settings stay as they came.
    """

    @property
    def engine(self) -> str:
        """The engine's key: huggingface, tgi, tei, vLLM, sGLang, llamacpp, custom, …"""
        return next(iter(self.root), "")

    @property
    def settings(self) -> dict[str, Any]:
        settings = self.root.get(self.engine)
        return settings if isinstance(settings, dict) else {}
