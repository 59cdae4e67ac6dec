"""Hosts themselves read what `install` wrote, and start the server: `make test-hosts`."""
