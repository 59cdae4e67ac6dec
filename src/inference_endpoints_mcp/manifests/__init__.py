"""What is published beside the code, generated from the registry of tools and the settings."""
