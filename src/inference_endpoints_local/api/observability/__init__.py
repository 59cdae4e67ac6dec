"""What an endpoint shows of itself: logs, metrics, replicas, the audit log, and the debugger's diagnosis."""
