"""Where the data folder is. A module of its own, quick to import: each server asks for it when it starts."""

from pathlib import Path


def default_data_dir() -> Path:
    """The data folder of this user's plane unless another one is given."""
    import platformdirs  # not above: an MCP server with a given folder starts faster without it

    return platformdirs.user_data_path("inference-endpoints-mcp", appauthor=False)
