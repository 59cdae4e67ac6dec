"""A scripted service with three kinds of hardware, and a Hub that knows one model."""

from typing import Any

from tests.support.service.scripted_upstream import Answer, Upstream

T4, L4, A100 = "aws-us-east-1-nvidia-t4-x1", "aws-us-east-1-nvidia-l4-x1", "aws-us-east-1-nvidia-a100-x4"
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
WEIGHTS = {"pipeline_tag": "text-generation", "safetensors": {"parameters": {"BF16": 8_030_261_248}}}


def script_cloud(upstream: Upstream) -> None:
    """The namespace acme, without endpoints; nothing is suggested for any model."""
    computes = [
        _instance("nvidia-t4", 0.5, 14),
        _instance("nvidia-l4", 0.8, 24),
        _instance("nvidia-a100", 10, 320, 4),
    ]
    vendors = {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]}
    upstream.answers("GET", "/v2/provider/acme", Answer(body=vendors))
    upstream.answers("GET", "/v2/endpoint/acme/new", Answer(404, {"error": "Not Found"}))
    upstream.answers("GET", "/api/v1/catalog/list", Answer(body={"items": []}))
    upstream.answers("GET", f"/api/models/{LLAMA}", Answer(body=WEIGHTS))


def _instance(kind: str, price: float, memory: float, size: int = 1) -> dict[str, Any]:
    return {
        "id": f"aws-us-east-1-{kind}-x{size}",
        "instanceType": kind,
        "instanceSize": f"x{size}",
        "accelerator": "gpu",
        "numAccelerators": size,
        "gpuMemoryGb": memory,
        "pricePerHour": price,
    }
