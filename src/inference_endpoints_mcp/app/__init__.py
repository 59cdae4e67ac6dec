"""The page that shows endpoints: in hosts of MCP Apps, and in a browser as the dashboard."""
