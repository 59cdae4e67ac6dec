"""Endpoints on a real Ray cluster, which `make test-cluster` installs into an environment of its own."""
