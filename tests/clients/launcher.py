"""Runs the installed `hf` with another address of the service: `launcher.py http://127.0.0.1:1234 endpoints ls`."""

import sys

from huggingface_hub import constants
from huggingface_hub.cli.hf import main

url = sys.argv.pop(1)
constants.INFERENCE_ENDPOINTS_ENDPOINT = f"{url}/v2"
constants.INFERENCE_CATALOG_ENDPOINT = f"{url}/api/v1/catalog"
constants.ENDPOINT = url
main()  # type: ignore[no-untyped-call]
