"""What a model and an engine take: the settings of an engine, the shape of a model, and the memory for both."""
