"""Clients that change and call endpoints without pause, and record the responses."""

import asyncio
import http.client
import itertools
from collections.abc import Mapping
from random import Random
from typing import Any

from tests.crash.account import Account, Change, Wanted, called, created, deleted, turned, updated
from tests.crash.site import MARK, Site
from tests.support.planes.plane_driver import RawResponse, cloud, local

ENDPOINTS = "/v2/endpoint/acme"
CHOICES = {"update": 4, "break": 1, "pause": 2, "resume": 3, "scale-to-zero": 2, "delete": 1, "call": 8}
POWERS = {"pause": "paused", "resume": "on", "scale-to-zero": "scaledToZero"}
NO_ANSWER = (OSError, http.client.HTTPException)

Request = tuple[Any, ...]
Documents = Mapping[str, dict[str, Any]]


class Client:
    """Changes endpoints of its own, one request after the other."""

    def __init__(self, site: Site, random: Random, *names: str, local: bool) -> None:
        self.local = local
        self.accounts = {name: Account() for name in names}
        self.answered = 0
        self._site = site
        self._random = random
        self._versions = itertools.count()
        self._ids: dict[str, str] = {}

    async def run(self, over: asyncio.Event) -> None:
        """Send requests until `over` is set or a request is not answered."""
        while not over.is_set():
            name = self._random.choice([*self.accounts])
            account = self.accounts[name]
            action = "create" if account.known is None else self._random.choices([*CHOICES], [*CHOICES.values()])[0]
            change, request = self._request(name, action)
            try:
                answer = await self._site.call(*request)
            except NO_ANSWER:
                account.unanswered(change)
                return
            self.answered += 1
            self._record_response(account, action, change, answer)
            if action != "call":
                self._remember_id(name, answer.body)

    def found(self, documents: Documents) -> None:
        """Compare the documents of the plane with the possible states."""
        for name, account in self.accounts.items():
            document = documents.get(name)
            account.found(wanted_of(document) if document else None)
            self._remember_id(name, document or {})

    def settled(self, documents: Documents) -> bool:
        """Whether every endpoint has reached its wanted state."""
        known = ((name, account.known) for name, account in self.accounts.items())
        return all(state is None or documents[name]["status"]["state"] in state.settled for name, state in known)

    def _record_response(self, account: Account, action: str, change: Change, answer: RawResponse) -> None:
        # A call wakes an endpoint even if no replica can answer it yet.
        done = (200, 501, 502, 503) if action == "call" else (200,)
        assert answer.status in (*done, 400, 409), f"{action}: {answer}"
        if answer.status in done:
            account.acknowledged(change)

    def _request(self, name: str, action: str) -> tuple[Change, Request]:
        path, version = f"{ENDPOINTS}/{name}", next(self._versions)
        env = {"VERSION": str(version), MARK: str(self._site.data_dir)}
        if action == "create":
            body = local(name, model={"env": env}) if self.local else cloud(name, model={"env": env})
            return created(version), ("POST", ENDPOINTS, body)
        if action == "delete":
            return deleted, ("DELETE", path)
        if action in POWERS:
            return turned(POWERS[action]), ("POST", f"{path}/{action}")
        if action == "call" and name in self._ids:
            return called, ("POST", f"/e/{self._ids[name]}", {})
        # Workers are never broken: their three attempts to start take too long here.
        broken = action == "break" and not self.local
        fault = {"SIMULATED_FAULT": "image_pull_failure" if broken else None}
        return updated(version, broken), ("PUT", path, {"model": {"env": env | fault}})

    def _remember_id(self, name: str, document: dict[str, Any]) -> None:
        """Remember the endpoint's URL, while it has one."""
        self._ids.pop(name, None)
        if url := document.get("status", {}).get("url"):
            self._ids[name] = url.rpartition("/")[2]


def wanted_of(document: dict[str, Any]) -> Wanted:
    """The wanted state that a document shows."""
    state, env = document["status"]["state"], document["model"]["env"]
    power = state if state in ("paused", "scaledToZero") else "on"
    return Wanted(power, int(env["VERSION"]), "SIMULATED_FAULT" in env)
