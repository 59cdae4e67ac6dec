"""Reads the skills that this package has."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

FILE = "SKILL.md"
_CALL = re.compile(r"^ *(\w+) (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True)
class Skill:
    """A folder whose name is the skill's, with one file."""

    name: str
    text: str

    @property
    def uri(self) -> str:
        return f"skill://{self.name}/{FILE}"

    @property
    def frontmatter(self) -> dict[str, str]:
        """Its fields. Ours are plain lines, for which YAML and this mean the same."""
        _, head, _ = self.text.split("---\n", 2)
        fields = (line.partition(": ") for line in head.splitlines())
        return {name: value for name, _, value in fields}

    @property
    def description(self) -> str:
        return self.frontmatter["description"]

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The tools that it calls, with their arguments as JSON, in its order."""
        return _CALL.findall(self.text)

    @property
    def content(self) -> bytes:
        return self.text.encode()

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@cache
def load_skills() -> dict[str, Skill]:
    """All skills, by their URI."""
    folders = [folder for folder in resources.files(__package__).iterdir() if folder.joinpath(FILE).is_file()]
    skills = [Skill(folder.name, folder.joinpath(FILE).read_bytes().decode()) for folder in folders]
    return {skill.uri: skill for skill in sorted(skills, key=lambda skill: skill.name)}
