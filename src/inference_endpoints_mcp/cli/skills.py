"""`skills`: list the skills of this package, or copy them to a host that reads skills from a folder."""

import argparse
import sys
from pathlib import Path

from inference_endpoints_mcp.skills.library import FILE, Skill, load_skills

NOT_COPIED = 1


def run_skills(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="inference-endpoints-mcp skills",
        description="List the skills, or copy them to a folder from which a host reads skills. Hosts that read them "
        "from an MCP server need no copy.",
    )
    parser.add_argument("folder", nargs="?", type=Path, help="for example ~/.claude/skills")
    folder: Path | None = parser.parse_args(arguments).folder
    skills = load_skills().values()
    if folder is None:
        for skill in skills:
            print(f"{skill.name}\n    {skill.description}")
        return 0
    try:
        copied = [_copy(skill, folder.expanduser()) for skill in skills]
    except OSError as error:
        print(f"{error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
        return NOT_COPIED
    return 0 if all(copied) else NOT_COPIED


def _copy(skill: Skill, folder: Path) -> bool:
    """Whether the skill is there afterwards. A file that differs is kept: somebody may have changed it."""
    file = folder / skill.name / FILE
    if file.exists() and file.read_bytes() != skill.content:
        print(f"{file} differs and was kept. Delete it to get the one of this version.", file=sys.stderr)
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(skill.content)
    print(file)
    return True
