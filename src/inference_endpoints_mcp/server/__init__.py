"""The MCP server over stdio or HTTP: tools, prompts, resources, progress, and the application behind them."""
