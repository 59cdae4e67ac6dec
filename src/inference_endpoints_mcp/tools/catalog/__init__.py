"""Tools that find hardware, models and a configuration to deploy."""
