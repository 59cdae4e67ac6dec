"""The worst that a request can do."""

from enum import StrEnum


class Effect(StrEnum):
    """The worst an operation can do, mildest first."""

    READS = "reads"
    DISRUPTS = "disrupts"
    SPENDS = "spends"
    EXPOSES = "exposes"
    DESTROYS = "destroys"
