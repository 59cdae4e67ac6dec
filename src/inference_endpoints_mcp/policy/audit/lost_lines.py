"""Lines of the audit trail that did not get where they belong. They go to the log, however many there are."""

import logging

LOG = "inference_endpoints_mcp.audit"
_log = logging.getLogger(LOG)


def log_lost_line(problem: str, line: str) -> None:
    _log.error("%s: %s", problem, line)
