"""A hook that receives frozen records; whoever wants spans, logs or metrics subscribes once at start.

The hot path formats nothing: it hands over one record, and with no subscriber that costs one
truth test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened: `name` in dotted form, `seconds` it took (None for a point), attributes."""

    name: str
    seconds: float | None = None
    attributes: dict[str, str | int | float | bool] = field(default_factory=dict)


Hook = Callable[[Record], None]
_hooks: list[Hook] = []


def subscribe(hook: Hook) -> None:
    """Call `hook` with every record from now on; it must neither block nor raise."""
    _hooks.append(hook)


def emit(name: str, seconds: float | None = None, **attributes: str | int | float | bool) -> None:
    """Hand a record to the subscribers."""
    if _hooks:
        record = Record(name, seconds, attributes)
        for hook in _hooks:
            hook(record)
