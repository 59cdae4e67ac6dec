"""The debugger of the plane: the model layer's own diagnosis of what the plane knows of an endpoint."""

from datetime import UTC, datetime

from pydantic import TypeAdapter

from inference_endpoints.deploy.offers import list_offers
from inference_endpoints.deploy.sizing.known_model import HubFacts
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.ranking import diagnose
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.models import Endpoint, HardwareListing, LogEntry, ModelInfo, Replicas
from inference_endpoints_local.api import documents
from inference_endpoints_local.control.lifecycle import Lifecycle
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.models import hub_models

LOG_LINES = 1_000
_LOGS = TypeAdapter(list[LogEntry])


def diagnosis_of(endpoint: ManagedEndpoint, lifecycle: Lifecycle, plane_url: str) -> str:
    """The most likely cause, what helps, and the lines that show it."""
    evidence = Evidence(
        endpoint=Endpoint.model_validate(documents.endpoint_document(endpoint, plane_url)),
        now=datetime.now(UTC),
        replicas=Replicas.model_validate(documents.replicas_document(endpoint)).items,
        logs=_LOGS.validate_python(lifecycle.logs.read(endpoint.record.id, tail=LOG_LINES)),
        hub=_hub_facts(endpoint.record.spec["model"]["repository"]),
        offers=list_offers(HardwareListing.model_validate(lifecycle.instances.document(lifecycle.quota_usage()))),
    )
    finding = diagnose(evidence).finding
    quotes = [f"[{quote.source}] {quote.text}" for quote in finding.quotes]
    return "\n".join([f"{finding.summary}.", finding.remedy.text, *finding.evidence, *quotes])


def _hub_facts(repository: str) -> HubFacts:
    model = hub_models.find(repository)
    if model is None:
        return HubFacts(config=NotComputable("only the model's name is known"))
    config = model.config
    return HubFacts(ModelInfo.model_validate(model.info), config, exists=True)
