"""Literal types of the values that a request may have. Source: the service's OpenAPI document 2.0.0.

The Python functions have them for type checkers alone. The tools and the embedded control plane refuse other values.
"""

from typing import Literal

AccessType = Literal["public", "authenticated", "private"]
ScalingMetric = Literal["hardwareUsage", "pendingRequests"]
PrivateLinkRegion = Literal["us-east-1", "eu-west-1"]

Accelerator = Literal["cpu", "gpu", "neuron", "zero_gpu"]
Framework = Literal["custom", "pytorch", "llamacpp"]
EndpointTask = Literal[
    "custom",
    "any-to-any",
    "audio-classification",
    "automatic-speech-recognition",
    "feature-extraction",
    "fill-mask",
    "image-classification",
    "image-segmentation",
    "image-text-to-text",
    "object-detection",
    "question-answering",
    "sentence-embeddings",
    "sentence-ranking",
    "sentence-similarity",
    "summarization",
    "table-question-answering",
    "text-classification",
    "text-generation",
    "text-ranking",
    "text-to-image",
    "token-classification",
    "translation",
    "zero-shot-classification",
]
