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


class TokenPlaces:
    """Refuses control tokens in names."""

    def __init__(self, tokens: Iterable[str]) -> None:
        given = sorted(tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, given))) if given else None

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
                param=path, code="control_token",
            )  # fmt: skip
