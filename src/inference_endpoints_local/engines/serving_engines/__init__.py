"""vLLM and SGLang as programs of their own, where they are installed: command line, variables, metrics."""
