"""The command `inference-endpoints-mcp`: its settings, and one function for each command."""
