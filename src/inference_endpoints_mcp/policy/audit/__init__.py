"""The audit trail: what is written, the chained file it goes to, and the check that nothing in it was changed."""
