"""How results and errors are rendered: as text and data, masked, and within the size that is promised."""
