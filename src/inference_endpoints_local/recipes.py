"""Deploying from the catalogue: what an endpoint of a model shipped here is created with."""

import re
import secrets
import string
from typing import Any

from inference_endpoints_local.catalogue import MODELS, Model
from inference_endpoints_local.hardware import LOCAL, LOCAL_REGION

_NAME = 32
_SUFFIX = 3


def of_model(repository: str, accelerator: str | None, gguf_file: str | None) -> Model | None:
    """The model of that repository, if its recipe is for that accelerator and file."""
    for model in MODELS:
        if model.repository.lower() == repository.lower():
            files = [file.name for file in model.artifact.files] if model.artifact else []
            fits = accelerator in (None, "cpu") and (gguf_file is None or gguf_file in files)
            return model if fits else None
    return None


def new_name(model: Model) -> str:
    """As the service was seen to name them: `llama-3-2-3b-instruct-eey`."""
    words = re.sub(r"[^a-z0-9]+", "-", model.repository.rpartition("/")[2].lower()).strip("-")
    suffix = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_SUFFIX))
    return f"{words[: _NAME - _SUFFIX - 1].rstrip('-')}-{suffix}"


def endpoint(model: Model, name: str) -> dict[str, Any]:
    """The body of its create request. Asleep it costs nothing, as in the service's recipes."""
    return {
        "name": name,
        "type": "authenticated",
        "provider": {"vendor": LOCAL, "region": LOCAL_REGION},
        "compute": {
            "accelerator": "cpu",
            "instanceType": "cpu",
            "instanceSize": "x1",
            "scaling": {"minReplica": 0, "maxReplica": 1},
        },
        "model": {
            "repository": model.repository,
            "framework": "llamacpp" if model.engine == "llamacpp" else "pytorch",
            "task": model.tasks[0],
            "image": {"huggingface": {}},
        },
    }
