"""Tools that show how an endpoint does: logs, metrics, replicas and a diagnosis."""
