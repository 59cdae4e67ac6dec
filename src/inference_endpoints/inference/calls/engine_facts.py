"""What calls need to know of the engine behind an endpoint: the name of its model, and its largest batch.

vLLM serves its model under the repository's id and answers 404 to any other name; its arguments can change that name.
TGI takes "tgi": another name selects an adapter. Other engines accept any name. Text Embeddings Inference takes 32
texts in a request, or as many as its variable MAX_CLIENT_BATCH_SIZE sets. What differs from this is learned from a
refusal.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.models import Endpoint
from inference_endpoints.models.json_text import parse_json

MODELS_ROUTE = "/v1/models"
MAX_BATCH_VARIABLE = "MAX_CLIENT_BATCH_SIZE"
DEFAULT_TEI_BATCH = 32
MAX_NAME_LENGTH = 200

_MAX_BATCH = re.compile(r"\bmaximum allowed batch size (\d{1,6})\b")


@dataclass
class EngineFacts:
    """One deployment of an endpoint, with what calls learned of its engine."""

    deployment: tuple[Any, ...]
    learned_model: str | None = None
    learned_max_batch: int | None = None
    one_at_a_time: set[str] = field(default_factory=set)
    """Tasks for which the engine took one input of several."""

    def model(self, endpoint: Endpoint) -> str:
        """The name of its model in requests of the OpenAI API."""
        if self.learned_model is not None:
            return self.learned_model
        return "tgi" if engine_name(endpoint.model).startswith("tgi") else endpoint.model.repository or endpoint.name

    def max_batch(self, endpoint: Endpoint) -> int | None:
        """The most texts of one request; None if no limit is known."""
        if self.learned_max_batch is not None:
            return self.learned_max_batch
        configured = str(endpoint.model.env.get(MAX_BATCH_VARIABLE, ""))
        if configured.isdecimal() and int(configured):
            return int(configured)
        return DEFAULT_TEI_BATCH if engine_name(endpoint.model) == "tei" else None

    def learn_max_batch(self, refusal: str, endpoint: Endpoint) -> bool:
        """Remember the limit that the engine's refusal names. Whether it is lower than the one known before."""
        named, known = _MAX_BATCH.search(refusal), self.max_batch(endpoint)
        limit = int(named[1]) if named else 0
        if limit == 0 or (known is not None and limit >= known):
            return False
        self.learned_max_batch = limit
        return True


_FACTS: WeakKeyDictionary[AsyncEndpointsClient, dict[tuple[str, str], EngineFacts]] = WeakKeyDictionary()
"""By client, then by namespace and name: the objects that call endpoints are often made for one call."""


def engine_facts(client: AsyncEndpointsClient, endpoint: Endpoint, namespace: str) -> EngineFacts:
    """What is known of the endpoint's engine. An update of the endpoint makes it unknown again."""
    known, key = _FACTS.setdefault(client, {}), (namespace, endpoint.name)
    deployment = (endpoint.identity, endpoint.status.updated_at)
    if key not in known or known[key].deployment != deployment:
        known[key] = EngineFacts(deployment)
    return known[key]


def parse_model_names(content: bytes) -> list[str]:
    """The names in an answer of `/v1/models`, those of adapters last; none if it has another form."""
    try:
        rows = parse_json(content)["data"]
        adapters_last = sorted(rows, key=lambda row: bool(row.get("parent")))
        return [row["id"] for row in adapters_last if _is_name(row["id"])]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()
