"""Tools that only the MCP App calls: all rows and points at once, more than a model should read."""
