"""Grammars with more choices than an engine can follow to the end of a token."""

import http.client
from pathlib import Path

import pytest
from tests.inference_endpoints_local.workers.conftest import start_worker
from tests.inference_endpoints_local.workers.llamacpp.conftest import CHAT
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes import gguf_files

from inference_endpoints_local.models import catalogue
from inference_endpoints_local.workers.llamacpp.llama import STALLED

pytestmark = pytest.mark.models

ENDLESS = "root ::= " + "[a-z]? " * 200


def test_a_worker_ends_that_does_not_come_to_the_end_of_a_token(tmp_path: Path) -> None:
    found = catalogue.resolve_model(CHAT)
    files = {"gguf": str(gguf_files.shipped_file(CHAT, "gguf"))}
    command = ["-m", found.model.worker.module]
    worker = start_worker(command, tmp_path, model=CHAT, task=found.task, files=files, stall_s=8.0)
    try:
        question = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "grammar": ENDLESS}
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            worker.ready().post("/v1/chat/completions", question)
        assert worker.process.wait(HANG_TIMEOUT_S) == STALLED
        assert "does not come to the end of a token" in worker.log
    finally:
        worker.stop()
