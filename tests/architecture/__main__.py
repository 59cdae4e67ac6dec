"""Draws the tree in `.github/ARCHITECTURE.md` from the imports: `python -m tests.architecture`.

`--check` writes nothing. It fails if the drawing is not what the imports are, if a document names a file that is not
there, or if two classes have the same name.
"""

import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = REPOSITORY / ".github"
ARCHITECTURE = DOCUMENTS / "ARCHITECTURE.md"
PACKAGES = ("inference_endpoints_mcp", "inference_endpoints", "inference_endpoints_local")
BEGIN, END = "<!-- tree: begin -->\n```text\n", "```\n<!-- tree: end -->"

_NAME_WIDTH, _LINE_WIDTH = 22, 114


def drawing() -> str:
    """Every folder and every top-level module of each package, with what it imports; what is imported stands below."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    for package in PACKAGES:
        for module in graph.find_children(package):
            if graph.find_children(module):
                graph.squash_module(module)
    return "\n".join("\n".join(_package(graph, package)) + "\n" for package in PACKAGES)


def stale_paths() -> Iterator[str]:
    """`document: path` for each file that a document names and that is not there.

    A path may leave out its beginning (`policy/rules.py`), as long as a file of src, tests or .github ends with it.
    """
    files = [
        f"/{path.relative_to(REPOSITORY)}"
        for top in ("src", "tests", ".github")
        for path in (REPOSITORY / top).rglob("*")
    ]
    for document in sorted(DOCUMENTS.glob("*.md")):
        for path in re.findall(r"`([\w./-]+\.(?:py|csv|md|json|yml))`", document.read_text("utf-8")):
            if not (REPOSITORY / path).exists() and not any(file.endswith(f"/{path}") for file in files):
                yield f"{document.name}: {path}"


def repeated_names() -> Iterator[str]:
    """`Name: files` for each class name that the packages use twice, whether it is private or not."""
    files = defaultdict[str, list[str]](list)
    for path in sorted((REPOSITORY / "src").rglob("*.py")):
        for name in re.findall(r"^ *class _?(\w+)", path.read_text("utf-8"), re.MULTILINE):
            files[name].append(str(path.relative_to(REPOSITORY / "src")))
    for name, places in files.items():
        if len(places) > 1:
            yield f"{name}: {' '.join(places)}"


def _package(graph: grimp.ImportGraph, package: str) -> Iterator[str]:
    members = graph.find_children(package)
    imports = {module: graph.find_modules_directly_imported_by(module) - {module} for module in members}
    height: dict[str, int] = {}
    for module in TopologicalSorter({module: imports[module] & members for module in members}).static_order():
        height[module] = 1 + max((height[below] for below in imports[module] & members), default=0)
    yield package
    for module in sorted(members, key=lambda module: (-height[module], module)):
        parts = [" ".join(sorted(_short(below) for below in imports[module] & members))]
        for other in PACKAGES:
            found = sorted(_short(below) for below in imports[module] if below.startswith(f"{other}."))
            if other != package and found:
                parts.append(f"{other}: {' '.join(found)}")
        name = f"  {_short(module)}".ljust(_NAME_WIDTH)
        text = " · ".join(part for part in parts if part)
        lines = textwrap.wrap(text, _LINE_WIDTH, initial_indent=name, subsequent_indent=" " * _NAME_WIDTH)
        yield from lines or [name.rstrip()]


def _short(module: str) -> str:
    """`tools/` for a folder, `client` for a module."""
    folder = (REPOSITORY / "src").joinpath(*module.split(".")).is_dir()
    return module.rpartition(".")[2] + ("/" if folder else "")


def main(arguments: list[str]) -> int:
    page = ARCHITECTURE.read_text("utf-8")
    before, rest = page.split(BEGIN)
    now = before + BEGIN + drawing() + END + rest.split(END)[1]
    if "--check" not in arguments:
        ARCHITECTURE.write_text(now, "utf-8")
        return 0
    problems = [f"A document names a file that is not there: {path}" for path in stale_paths()]
    problems += [f"Two classes have one name: {name}" for name in repeated_names()]
    if now != page:
        problems.append(f"{ARCHITECTURE.name} does not draw the imports as they are: run `make manifests`.")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
