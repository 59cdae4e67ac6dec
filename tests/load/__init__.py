"""Many callers of one server over HTTP: `make test-load`, or longer, such as `LOAD=20 make test-load`.

Each test prints what it measured. Machines differ and are noisy, so nothing here asserts a time.
"""
