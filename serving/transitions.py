"""Tables of states and events in which an illegal event raises and changes nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from understudy.errors import IllegalTransition

State = TypeVar("State", bound=StrEnum)
Happening = TypeVar("Happening", bound=StrEnum)


class Transitions(dict[tuple[State, Happening], State]):
    """`{(state, event): next}`; `table[state, event]` is the next state.

    A look-up is a plain dictionary's, for the request path makes a dozen of them.

    Raises:
        IllegalTransition: by a look-up; the event has no meaning in the state.
    """

    def __missing__(self, key: tuple[State, Happening]) -> State:
        state, event = key
        raise IllegalTransition(f"what is {state} cannot take the event {event}")
