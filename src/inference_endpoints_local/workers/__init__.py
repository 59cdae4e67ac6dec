"""The programs that load a model and serve it. They import nothing else of this package."""
