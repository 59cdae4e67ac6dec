"""`python -m inference_endpoints_mcp` is the command `inference-endpoints-mcp`."""

import sys

from inference_endpoints_mcp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
