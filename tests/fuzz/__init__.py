"""What generators find: `make test-fuzz`."""
