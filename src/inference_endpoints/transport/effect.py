"""The worst that a request can do."""

from enum import StrEnum


class Effect(StrEnum):
    """The worst an operation can do, mildest first."""

    READS = "reads"
    SPENDS = "spends"
    DISRUPTS = "disrupts"
    EXPOSES = "exposes"
    DESTROYS = "destroys"
