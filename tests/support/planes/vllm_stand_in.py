#!/usr/bin/env python3
"""Stands in for `vllm serve`: the flags, the routes and the metrics of vLLM that the plane uses, and no model.

Only the standard library, so that any interpreter runs it. It answers a chat with its own command line and variables.
"""

import argparse
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="{model}"}} 2.0
vllm:num_requests_waiting{{engine="0",model_name="{model}"}} 1.0
vllm:kv_cache_usage_perc{{engine="0",model_name="{model}"}} 0.4125
vllm:prefix_cache_queries_total{{engine="0",model_name="{model}"}} 50.0
vllm:prefix_cache_hits_total{{engine="0",model_name="{model}"}} 25.0
vllm:prompt_tokens_total{{engine="0",model_name="{model}"}} 50.0
vllm:time_to_first_token_seconds_bucket{{engine="0",le="0.1",model_name="{model}"}} 1.0
vllm:time_to_first_token_seconds_count{{engine="0",model_name="{model}"}} 4.0
vllm:time_to_first_token_seconds_sum{{engine="0",model_name="{model}"}} 2.0
vllm:inter_token_latency_seconds_count{{engine="0",model_name="{model}"}} 100.0
vllm:inter_token_latency_seconds_sum{{engine="0",model_name="{model}"}} 3.0
"""


def read_flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser("vllm")
    serve = parser.add_subparsers(required=True).add_parser("serve")
    serve.add_argument("model")
    for flag in ("--host", "--port", "--revision", "--dtype", "--max-model-len", "--max-num-seqs", "--kv-cache-dtype"):
        serve.add_argument(flag)
    serve.add_argument("--tensor-parallel-size", type=int, default=1)
    serve.add_argument("--enforce-eager", action="store_true")
    return parser.parse_args()


class Answers(BaseHTTPRequestHandler):
    flags: argparse.Namespace

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, b"")
        elif self.path == "/metrics":
            self.answer(200, METRICS.format(model=self.flags.model).encode(), "text/plain; version=0.0.4")
        else:
            self.answer(404, b'{"detail":"Not Found"}')

    def do_POST(self) -> None:
        if self.headers["Authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}":
            self.answer(401, b'{"error":"Unauthorized"}')
            return
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("stop_engine"):
            sys.stderr.write("ERROR CUDA out of memory\n")
            os._exit(1)
        told = {
            "words": sys.argv[1:],
            "environment": dict(os.environ),
            "pid": os.getpid(),
            "files": [str(path) for path in Path().iterdir()],
        }
        self.answer(200, json.dumps({"model": asked["model"], "told": told}).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        del words


if __name__ == "__main__":
    Answers.flags = read_flags()
    sys.stdout.write(f"Starting vLLM API server 0 on http://{Answers.flags.host}:{Answers.flags.port}\n")
    sys.stdout.flush()
    server = ThreadingHTTPServer((Answers.flags.host, int(Answers.flags.port)), Answers)
    threading.Thread(target=server.serve_forever).run()
