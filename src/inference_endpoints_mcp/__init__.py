"""An MCP server for Hugging Face Inference Endpoints."""

__version__ = "0.1.0"
