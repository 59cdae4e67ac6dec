"""Compares what the service answers with its own document: one call of every operation that only reads."""
