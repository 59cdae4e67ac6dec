"""The worker that names images."""
