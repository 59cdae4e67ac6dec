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

*Connects*: once, or for each call. *Can ask a person*: by a callback of its own, with which the person was asked and
approved. By default none can: then deleting is refused, until the operator chooses `--confirm plan`, and spending takes
a plan's token. *Gives up*: after how many seconds it abandons a call by default. *Long wait*: how many calls it made
for a wait longer than that, or of 13 s, and how many of them it abandoned, over stdio / HTTP.

| Client | Version | Names itself | Protocol | Connects | Progress | Can ask a person | Gives up | Long wait |
|---|---|---|---|---|---|---|---|---|
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
        about.title,
        _versions(facts["packages"]),
        _same(f"`{stdio['client']}`", f"`{http['client']}`"),
        _same(stdio["protocol"], http["protocol"]),
        "for each call" if stdio["sessions"] >= CALLS_OF_THE_LIFECYCLE else "once",
        "yes" if stdio["wants_progress"] else "no",
        "yes" if stdio.get("asked") and http.get("asked") else "no",
        f"{about.gives_up_after_s} s" if about.gives_up_after_s else "",
        " / ".join(_wait(transport) for transport in (stdio, http) if "answered" in transport),
    ]
    return f"| {' | '.join(cells)} |\n"


def _converter(environment: Environment) -> str:
    what = ast.get_docstring(ast.parse(environment.converter.read_text("utf-8"))) or ""
    return f"| {_versions(environment.packages)} | {what} |\n"


def _versions(packages: dict[str, str]) -> str:
    return "<br>".join(f"{name} {version}" for name, version in packages.items())


def _same(stdio: str, http: str) -> str:
    return stdio if stdio == http else f"{stdio}, over HTTP {http}"


def _wait(facts: dict[str, Any]) -> str:
    calls = facts["answered"] + facts["lost"]
    return f"{calls}, {facts['lost']} lost" if facts["lost"] else str(calls)


def _fault(environment: Environment, fault: Fault) -> str:
    repository, _, number = fault.issue.partition("#")
    link = f"[{repository}#{number}](https://github.com/{repository}/issues/{number})" if number else "none found"
    return f"| {environment.about.title} | {fault.what} | {fault.here} | {link} |\n"
