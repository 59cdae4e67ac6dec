"""The public conformance suite, at both revisions: `make test-conformance`."""
