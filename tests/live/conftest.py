"""The embedded plane, on which the walk of the real API is tried out."""

from tests.plane.conftest import driver, plane_of

__all__ = ["driver", "plane_of"]
