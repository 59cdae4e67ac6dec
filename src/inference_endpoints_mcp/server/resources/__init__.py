"""Endpoints as MCP resources: their URIs, reading them, and subscriptions to their changes."""
