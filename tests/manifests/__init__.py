"""What is published beside the code, generated from the registry of tools, the settings and the Python API."""
