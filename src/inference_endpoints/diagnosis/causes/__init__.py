"""What can be wrong, one kind of cause in a module: each reads the evidence, and gives findings."""
