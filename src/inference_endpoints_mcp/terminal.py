"""What people see in a terminal: colours and progress there, plain lines elsewhere."""

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def open_console(stream: TextIO) -> "Console":
    """Prints text as it is, without wrapping it or finding markup in it: some of it was written by strangers.

    NO_COLOR and TERM=dumb are respected. Imported late: the server itself needs none of it.
    """
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)
