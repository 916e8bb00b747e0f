"""How the commands reach a running control plane: address and token from the environment or the state directory."""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from serving.control.token import AS_HEADER, ENV, USER_HEADER
from understudy.errors import UnderstudyError
from understudy.files import read_json
from understudy.state import StateDir

URL_ENV = "UNDERSTUDY_ADMIN_URL"
DEFAULT_URL = "http://127.0.0.1:8001"
DEADLINE = 930.0
"""Seconds: a little above what a rollback may take."""


class Refused(UnderstudyError):
    """The control plane said no; message, type, code and parameter are its own."""

    def __init__(self, message: str, told: Mapping[str, Any] | None = None) -> None:
        given = told or {}
        super().__init__(message, param=given.get("param"), code=given.get("code"))
        self.kind = given.get("type", self.kind)


class NotRunning(UnderstudyError):
    """Nothing answers there."""

    status, kind, code = 503, "service_unavailable_error", "not_running"


def segment(text: str) -> str:
    """What a user gave as part of a path: no other path, and no query."""
    return quote(text, safe="")


class Admin:
    """Calls to the control plane of a state directory."""

    def __init__(self, state: Path, speaker: str = "") -> None:
        folder = StateDir(state)
        self._root = folder.root
        self._url = os.environ.get(URL_ENV) or _address(folder)
        self._token = os.environ.get(ENV) or _token(folder)
        self._who = {USER_HEADER: quote(system_user()), **({AS_HEADER: quote(speaker)} if speaker else {})}

    def get(self, path: str, **query: Any) -> Any:
        """The JSON value of a GET; query values of None are left out."""
        return self.call("GET", path, params={k: v for k, v in query.items() if v is not None})

    def lines(self, path: str) -> Iterator[str]:
        """The lines of a GET, as they come; raises as `call`, and NotRunning where it ends in the middle."""
        url = f"{self._url.rstrip('/')}/admin/v1{path}"
        headers = {"authorization": f"Bearer {self._token}", **self._who}
        timeout = httpx.Timeout(10, read=DEADLINE)
        try:
            with httpx.stream("GET", url, headers=headers, timeout=timeout, trust_env=False) as response:
                if response.is_error:
                    response.read()
                    told = response.json()["error"]
                    raise Refused(str(told["message"]), told)
                yield from response.iter_lines()
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise NotRunning(f"no answer, or no more of it, from {self._url} ({error}); try again") from None
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{self._url} is no control plane of this release") from None

    def call(self, method: str, path: str, **more: Any) -> Any:
        """The JSON value of a call.

        Raises:
            NotRunning: nothing answers.
            Refused: it answered with an error, whose message this one carries.
        """
        url = f"{self._url.rstrip('/')}/admin/v1{path}"
        try:
            timeout = httpx.Timeout(10, read=DEADLINE)
            headers = {"authorization": f"Bearer {self._token}", **self._who}
            response = httpx.request(method, url, headers=headers, timeout=timeout, trust_env=False, **more)
        except httpx.ReadTimeout:
            raise NotRunning(f"{self._url} did not answer within {DEADLINE:g} s") from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise NotRunning(
                f"no control plane at {self._url} ({error}); start it with "
                f"`understudy up --state {self._root}`, name another directory with --state, or set {URL_ENV}"
            ) from None
        try:
            value = response.json()
        except ValueError:
            raise Refused(f"{self._url} is no control plane: it answered {response.status_code} without JSON") from None
        if response.is_error:
            told = value.get("error") if isinstance(value, dict) else None
            if isinstance(told, dict):
                raise Refused(str(told["message"]), told)
            raise Refused(f"{response.status_code}: {value}")
        return value


def system_user() -> str:
    """Who runs this process, by name where there is one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _address(state: StateDir) -> str:
    """Of the controller that leads, else of the `up` that runs, else the default."""
    for file, key in ((state.control, "url"), (state.addresses, "control")):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if found := read_json(file).get(key):
                return str(found)
    return DEFAULT_URL


def _token(state: StateDir) -> str:
    try:
        return state.admin_token.read_text("ascii").strip()
    except OSError:
        raise NotRunning(
            f"nothing runs on {state.root} (it has no admin token): start it with "
            f"`understudy up --state {state.root}`, name another directory with --state, or set {URL_ENV} and {ENV}"
        ) from None
