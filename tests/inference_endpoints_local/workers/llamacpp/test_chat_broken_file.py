"""The chat worker with a file that llama.cpp cannot load."""

import struct
from pathlib import Path

from tests.inference_endpoints_local.workers.conftest import start_worker
from tests.support.hang import HANG_TIMEOUT_S


def test_a_file_that_cannot_be_loaded_leaves_every_line_of_llama_cpp_in_the_log(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    one_tensor = struct.pack("<QcIQIQ", 1, b"t", 1, 8, 0, 0)
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + one_tensor + bytes(128))
    module = ["-m", "inference_endpoints_local.workers.llamacpp.chat"]
    worker = start_worker(module, tmp_path, model=str(file), task="text-generation", files={"gguf": str(file)})
    try:
        assert worker.process.wait(HANG_TIMEOUT_S) == 1
        assert "ERROR cannot load" in worker.log
        assert "unknown model architecture" in worker.log
        assert "exiting due to model loading error" in worker.log
    finally:
        worker.stop()
