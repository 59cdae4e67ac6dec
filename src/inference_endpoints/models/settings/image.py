"""The container image of an endpoint: an object with exactly one key, which names the engine."""

from typing import Any

from pydantic import RootModel


class Image(RootModel[dict[str, Any]], defer_build=True):
    """`{"huggingface": {}}`, `{"vLLM": {"url": …, "tensorParallelSize": 2}}`, and so on.

    The variants gain fields faster than any client could follow, and an image is always sent back whole,
    so the settings stay as they came. What a request may have: `image_settings.py`.
    """

    @property
    def engine(self) -> str:
        """The engine's key: huggingface, tgi, tei, vLLM, sGLang, llamacpp, custom, …"""
        return next(iter(self.root), "")

    @property
    def settings(self) -> dict[str, Any]:
        settings = self.root.get(self.engine)
        return settings if isinstance(settings, dict) else {}
