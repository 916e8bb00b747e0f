"""A script that changes rows, called with the spilled rows that it turns out to lack."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from feedback.rows.files import RowFiles, Spilled, installed
from feedback.store.connection import Client
from feedback.store.scripts import source
from understudy.errors import Unavailable

LACKS = -2
"""First of the answer of a script that changed nothing, since rows must be read back first."""
TRIES = 100


class RowScript:
    """One of `lua/` that changes rows. A row that was spilled is read back before it changes, all of a call at once."""

    def __init__(self, client: Client, names: Sequence[str], files: RowFiles | None) -> None:
        self._script = client.register_script(source(*names))
        self._files = files

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """The script's answer; `arguments` are its four.

        Raises:
            Unavailable: rows must be read back and cannot be; nothing changed.
        """
        known: dict[str, tuple[str, dict[str, int]]] = {}
        texts: list[bytes] = []
        before = len(arguments) + 1
        for _ in range(TRIES):
            answer = self._script(keys, [*arguments, json.dumps(known), *texts])
            if not isinstance(answer, list) or answer[0] != LACKS:
                return answer
            for tenant, (text, units) in json.loads(answer[2]).items():
                if tenant not in known or known[tenant][0] != text:
                    known[tenant] = (text, {})
                found = self._found(tenant, Spilled.read(text), units)
                for unit in units:
                    row = found.get(unit)
                    texts += [] if row is None else [row]
                    known[tenant][1][unit] = 0 if row is None else before + len(texts)
        raise Unavailable(f"the files of spilled rows changed {TRIES} times during one call; it is made again later")

    def _found(self, tenant: str, spilled: Spilled, units: Sequence[str]) -> dict[str, bytes]:
        if self._files is None or not installed():
            raise Unavailable(
                "rows of users were spilled and cannot be read here: install the extra `experiments`, and share the "
                "state directory with whoever spilled them"
            )
        return self._files.find(tenant, spilled, units)
