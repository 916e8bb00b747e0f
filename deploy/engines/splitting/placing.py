"""Where in a body a control token is text, which may be split, and where a name, which may not be changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from understudy.errors import BadRequest

SPLIT_IN = frozenset({"messages", "tools", "functions", "documents", "chat_template_kwargs"})
"""Fields of a chat's body that a template writes into the prompt."""
TOOLS = frozenset({"tools", "functions"})
"""Those of which descriptions alone are text: names, values and keys have to come back as they were."""
DESCRIPTION = "description"
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
"""Roles that templates know."""
CODE = "control_token"


class TokenPlaces:
    """Refuses control tokens in names."""

    def __init__(self, tokens: Iterable[str]) -> None:
        given = sorted(tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, given))) if given else None
        folded = {token.casefold() for token in given}
        self._all = "\0".join(folded)
        self._longest = max(map(len, folded), default=0)
        self._ends = {end for token in folded for at in range(len(token)) if not (end := token[at:]).isalnum()}
        self._begins = {
            begin for token in folded for at in range(len(token)) if not (begin := token[: at + 1]).isalnum()
        }

    def check_roles(self, roles: Iterable[object]) -> None:
        """Look at the roles of messages: some templates write them between the halves of a control token.

        Raises:
            BadRequest: one is part of a control token, or ends or begins one.
        """
        for role in roles:
            if isinstance(role, str) and role not in ROLES and self._touches(role.casefold().strip()):
                raise BadRequest(
                    f"the role {role[:40]!r} could make up a control token of this model: take another",
                    param="messages", code=CODE,
                )  # fmt: skip

    def _touches(self, role: str) -> bool:
        """Whether something beside `role` could make it a control token."""
        if not role or not self._all:
            return False
        lengths = range(1, min(len(role), self._longest) + 1)
        return (
            role in self._all
            or any(role[:length] in self._ends for length in lengths)
            or any(role[-length:] in self._begins for length in lengths)
        )

    def check(self, field: str, value: bytes) -> None:
        """Look at a field of `SPLIT_IN` whose JSON is `value`.

        Raises:
            BadRequest: a token stands in a key, or in a tool elsewhere than in a description; it names the path.
        """
        if field == "messages" or self._pattern is None:
            return
        try:
            waiting: list[tuple[str, Any, bool]] = [(field, msgspec.json.decode(value), field not in TOOLS)]
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest(f"`{field}` is nested too deep, or holds text that is not valid", param=field) from None
        while waiting:
            path, one, text = waiting.pop()
            if isinstance(one, str):
                if not text:
                    self._refuse(path, one)
            elif isinstance(one, dict):
                for key, inner in one.items():
                    self._refuse(path, key)
                    described = field not in TOOLS or (key == DESCRIPTION and isinstance(inner, str))
                    waiting.append((f"{path}.{key}", inner, described))
            elif isinstance(one, list):
                waiting.extend((f"{path}[{place}]", inner, text) for place, inner in enumerate(one))

    def _refuse(self, path: str, name: str) -> None:
        found = self._pattern.search(name) if self._pattern is not None else None
        if found is not None:
            raise BadRequest(
                f"`{path}` holds the control token {found[0]!r}, and names cannot be changed: leave it out",
                param=path, code=CODE,
            )  # fmt: skip
