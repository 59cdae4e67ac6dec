"""What an endpoint did: its logs, metrics and replicas, and the audit log."""
