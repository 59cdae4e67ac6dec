"""Servers that stand on the scripted service."""

from tests.inference_endpoints.conftest import backend as backend
