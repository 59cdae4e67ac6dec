"""The same plane and hosts as the tools' tests have."""

from tests.tools.conftest import driver, host, host_of, mode, modern, plane_of

__all__ = ["driver", "host", "host_of", "mode", "modern", "plane_of"]
