"""`CLIENTS.md`: what clients and frameworks of others showed when they were run."""

import ast
from typing import Any

from tests.frameworks import measured
from tests.frameworks.environments import Environment, Fault, all_clients, all_converters

HEAD = """\
# Clients

`make test-clients` runs these clients and frameworks of others, each in an environment of its own, over stdio and HTTP,
with their defaults. Each lists the tools, deploys a real model on this machine, waits for it, talks to it, is refused
to delete it, deploys a second endpoint that has a price, and deletes both. After every step the state of the control
plane is checked. Only the model that chooses the calls is scripted: it reads what its framework passes on of an answer.
`make clients-table` writes this page from such a run.

*Connects*: once, or for each call. *A model reads*: how often its framework passes the same answer on to it, as text
and once more as structured data, and whether also what is meant for hosts (`_meta`). *Can ask a person*: by a callback
of its own; with it the person refused, and then approved. By default none can: then deleting is refused, until the
operator chooses `--confirm plan`, and spending takes a plan's token. *Gives up*: after how many seconds it abandons a
call by default. *Lost*: how many answers of a wait longer than that (or of 13 s) it abandoned, over stdio / HTTP, as a
client that the server has never met.

| Client | Version | Protocol | Connects | A model reads | Can ask a person | Gives up | Lost |
|---|---|---|---|---|---|---|---|
"""
FAULTS = """
## What they do wrong, and what this server does about it

| Client | | Here | Its issue |
|---|---|---|---|
"""
CONVERTERS = """
## Libraries that convert the tools for a model

Each converts every published tool. The result is checked against what the provider refuses, as far as that is known,
and no argument may be lost.

| Library | |
|---|---|
"""
CALLS_OF_THE_LIFECYCLE = 5
"""It has at least so many calls."""


def render_clients_page() -> str:
    facts = measured.read()
    environments = [each for each in all_clients() if each.name in facts]
    rows = "".join(_row(environment, facts[environment.name]) for environment in environments)
    faults = "".join(_fault(each, fault) for each in environments for fault in each.about.faults)
    converters = "".join(map(_converter, all_converters()))
    return HEAD + rows + FAULTS + faults + CONVERTERS + converters


def _row(environment: Environment, facts: dict[str, Any]) -> str:
    about, stdio, http = environment.about, facts["stdio"], facts["http"]
    cells = [
        f"{about.title}<br>`{stdio['client']}`",
        _versions(facts["packages"]),
        stdio["protocol"] if stdio["protocol"] == http["protocol"] else f"{stdio['protocol']} / {http['protocol']}",
        "for each call" if stdio["sessions"] >= CALLS_OF_THE_LIFECYCLE else "once",
        _reads(stdio) if about.agent else "",
        "yes" if stdio.get("asked") and http.get("asked") else "no",
        f"{about.gives_up_after_s} s" if about.gives_up_after_s else "",
        " / ".join(str(transport["lost"]) for transport in (stdio, http) if "lost" in transport),
    ]
    return f"| {' | '.join(cells)} |\n"


def _reads(facts: dict[str, Any]) -> str:
    times = {1: "once", 2: "twice"}.get(facts["copies"], f"{facts['copies']} times")
    return f"{times}, with `_meta`" if facts["metadata"] else times


def _converter(environment: Environment) -> str:
    what = ast.get_docstring(ast.parse(environment.converter.read_text("utf-8"))) or ""
    return f"| {_versions(environment.packages)} | {what} |\n"


def _versions(packages: dict[str, str]) -> str:
    return "<br>".join(f"{name} {version}" for name, version in packages.items())


def _fault(environment: Environment, fault: Fault) -> str:
    repository, _, number = fault.issue.partition("#")
    link = f"[{repository}#{number}](https://github.com/{repository}/issues/{number})" if number else "none found"
    return f"| {environment.about.title} | {fault.what} | {fault.here} | {link} |\n"
