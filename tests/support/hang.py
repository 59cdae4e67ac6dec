"""When a test counts as hung."""

HANG_TIMEOUT_S = 300.0
"""Longer than anything takes on a busy machine. No test expects that a step is done sooner."""
