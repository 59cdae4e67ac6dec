"""The embedded control plane: the service's REST API on this machine, with real models as real processes."""


def own_version() -> str:
    """The version of this distribution."""
    from importlib.metadata import version  # slow to import

    return version("inference-endpoints-mcp")
