"""The services that the API consists of."""

from enum import Enum


class Service(Enum):
    """The service, each with its own address, that an operation belongs to."""

    CONTROL_PLANE = "control_plane"
    CONTROL_PLANE_V3 = "control_plane_v3"
    HUB = "hub"
    CATALOGUE = "catalogue"
    CONFIGURATION = "configuration"
