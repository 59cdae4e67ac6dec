"""Clients and frameworks of others, each in an environment of its own, with their defaults: `make test-clients`."""
