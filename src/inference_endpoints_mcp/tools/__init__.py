"""The tools: each is one function with typed arguments and a typed output, in the folder of its toolset."""
