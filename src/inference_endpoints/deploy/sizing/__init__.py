"""Which hardware a model needs: its memory, whether it fits, and the cheapest that holds it."""
