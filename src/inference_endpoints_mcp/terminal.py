"""What people see in a terminal: colours, and a line that shows what goes on. Elsewhere: plain lines."""

from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def open_console(stream: TextIO) -> "Console":
    """Prints text as it is, without wrapping it or finding markup in it: some of it was written by strangers.

    NO_COLOR and TERM=dumb are respected. Imported late: the server itself needs none of it.
    """
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Activity:
    """A line that shows what goes on now, for as long as the context lasts, and then disappears.

    Nothing is shown where there is no terminal, or one that cannot rewrite a line. Then `is_shown` is False.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._progress: Progress | None = None
        # FORCE_COLOR makes a console of what is no terminal, to have colours in logs.
        self.is_shown = console.is_interactive and console.file.isatty()

    def show(self, text: str, done: float = 0, total: float | None = None) -> None:
        """Show a text, with a bar if there is a total. A text that is too long for the terminal is cut."""
        if self._progress is not None:
            (task,) = self._progress.task_ids
            self._progress.update(task, description=" ".join(text.split()), completed=done, total=total)

    def __enter__(self) -> Self:
        if self.is_shown:
            self._progress = _one_line(self._console)
            self._progress.add_task("", total=None)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _one_line(console: "Console") -> "Progress":
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    class Bar(BarColumn):
        """Nothing where the total is not known: the spinner moves."""

        def render(self, task: Task) -> Text:  # type: ignore[override]
            return super().render(task) if task.total else Text()  # type: ignore[return-value]

    text = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns: tuple[ProgressColumn, ...] = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=text),
        Bar(bar_width=20),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, expand=True, refresh_per_second=8)
