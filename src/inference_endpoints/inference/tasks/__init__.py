"""The tasks of models: what each takes, what it returns, and how every engine is asked for it."""
