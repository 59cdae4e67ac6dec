"""The MCP bundle: `make mcpb` builds it, `make test-mcpb` starts it as a host does."""
