"""Tools about the account: its costs, quotas, audit log and token."""
