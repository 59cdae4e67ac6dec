"""Garbage collection in a process that serves many callers for long."""

import gc

YOUNG_COLLECTIONS = 500
"""Collections of young objects before a full one. Python's own number is 10."""


def make_full_collections_rare() -> None:
    """Call it when all is loaded, before the first caller.

    A full collection goes through all objects, and meanwhile nobody is answered: 0.2 s with 500 open waits. What is
    loaded now stays, and is left out. What calls leave behind is nearly all found while it is young; the rest is some
    megabytes until the next full collection.
    """
    gc.freeze()
    young, older, _ = gc.get_threshold()
    gc.set_threshold(young, older, YOUNG_COLLECTIONS)
