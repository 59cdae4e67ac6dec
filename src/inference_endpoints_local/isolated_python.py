"""A module as a process of its own, which imports from where this process does and from nowhere else."""

import sys
from pathlib import Path

# -I: nothing from the working folder, from variables or from the folder of a script.
_FLAGS = ("-I", "-X", "utf8", "-u")
# -I leaves out the user's own packages as well, and those of PYTHONPATH. This distribution may be among them.
_RUN = (
    "import runpy, sys; module, sys.path[:] = sys.argv[1], sys.argv[2:]; del sys.argv[1:]; "
    "runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def isolated(module: str) -> tuple[str, ...]:
    """The command that runs the module."""
    return (sys.executable, *_FLAGS, "-c", _RUN, module, *(path for path in sys.path if Path(path).is_absolute()))
