"""What generators find: `make test-fuzz`. Arguments of tools are fuzzed in the suite."""
