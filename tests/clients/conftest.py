"""huggingface_hub as it is installed; only the service's address is changed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from huggingface_hub import HfApi, InferenceEndpoint, constants
from tests.clients.plane import running_plane
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.daemon.connect import RunningPlane

LOCAL: dict[str, Any] = {
    "framework": "pytorch",
    "accelerator": "cpu",
    "vendor": "local",
    "region": "machine",
    "instance_type": "cpu",
    "instance_size": "x1",
}
CLOUD: dict[str, Any] = LOCAL | {"vendor": "aws", "region": "us-east-1", "instance_type": "intel-spr"}

Deployed = Callable[..., AbstractContextManager[InferenceEndpoint]]


@pytest.fixture(scope="session")
def plane() -> Iterator[RunningPlane]:
    with running_plane() as plane:
        yield plane


@pytest.fixture(scope="package")
def hub(plane: RunningPlane) -> Iterator[HfApi]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", f"{plane.url}/v2")
        patch.setattr(constants, "INFERENCE_CATALOG_ENDPOINT", f"{plane.url}/api/v1/catalog")
        patch.setattr(constants, "ENDPOINT", plane.url)
        patch.setenv("HF_TOKEN", plane.token)
        yield HfApi()


@pytest.fixture(autouse=True)
def nothing_left(hub: HfApi, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test begins with no endpoints, but those a module deployed for itself."""
    before = {endpoint.name for endpoint in hub.list_inference_endpoints()}
    yield
    while added := [endpoint for endpoint in hub.list_inference_endpoints() if endpoint.name not in before]:
        for endpoint in added:
            endpoint.delete()


@pytest.fixture(scope="package")
def deployed(hub: HfApi) -> Deployed:
    """A running endpoint with a real model, for the length of a block."""

    @contextmanager
    def deploying(repository: str, name: str = "real", **options: Any) -> Iterator[InferenceEndpoint]:
        endpoint = hub.create_inference_endpoint(name, repository=repository, **LOCAL | options)
        try:
            yield endpoint.wait(timeout=HANG_TIMEOUT_S, refresh_every=0.1)  # type: ignore[arg-type]
        finally:
            endpoint.delete()

    return deploying
