"""Two machines for a test that leaves neither as it was."""

from collections.abc import Iterator

import pytest
from tests.cluster.machines import TwoMachines, two_machines
from tests.cluster.plane import MODEL

from inference_endpoints_local.models import weights
from inference_endpoints_local.models.catalogue import resolve_model


@pytest.fixture
def cluster() -> Iterator[TwoMachines]:
    resolve_model(MODEL).files(weights.default_cache_dir())  # the machines have no way out
    with two_machines() as cluster:
        yield cluster
