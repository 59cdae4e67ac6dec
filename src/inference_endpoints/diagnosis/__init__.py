"""Why an endpoint does not do what is expected of it: `collect_evidence` reads, `diagnose` judges without I/O."""

from inference_endpoints.diagnosis.collection import collect_evidence
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import Action, ActionKind, Cause, EvidenceSource, Finding, Quote, Remedy
from inference_endpoints.diagnosis.ranking import DETECTORS, Diagnosis, diagnose

__all__ = [
    "DETECTORS",
    "Action",
    "ActionKind",
    "Cause",
    "Diagnosis",
    "Evidence",
    "EvidenceSource",
    "Finding",
    "Quote",
    "Remedy",
    "collect_evidence",
    "diagnose",
]
