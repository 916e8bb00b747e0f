"""What may be left out of a round: kinds of its data and channels of its loss; and the round without some. Pure.

A player that is left out takes its targets with it, or has its channel's weight at 0. Whatever is left takes the steps
that the round took, at its rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from online_distill.teacher.targets import Scored
from online_distill.train.order import is_replay
from online_distill.train.recipe import Recipe
from understudy.errors import UsageError

HARD, REPLAY = "hard", "replay"
"""All new rows; all that the student could do already."""
CHANNELS: Mapping[str, str] = {"hold": "hold", "pull": "pull", "parent": "parent_share"}
"""Channels of the loss, and the key of the recipe that weighs each."""
MOST = 3
"""Players of one run: 8 rounds."""
DEFAULT = (HARD, REPLAY, "hold")


@dataclass(frozen=True, slots=True)
class Ingredients:
    """A round's targets and recipe, and the kind of each hard row by its id."""

    items: Sequence[Scored]
    recipe: Recipe
    kinds: Mapping[str, str]

    def known(self) -> dict[str, int]:
        """Every player there is, with its number of targets; a channel that has a weight has 0."""
        found = {HARD: 0, REPLAY: 0}
        for item in self.items:
            for name in self._of(item):
                found[name] = found.get(name, 0) + 1
        channels = dict.fromkeys((name for name, key in CHANNELS.items() if getattr(self.recipe, key)), 0)
        return {name: n for name, n in found.items() if n} | channels

    def chosen(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """The players asked for; without any those of `DEFAULT` that there are.

        Raises:
            UsageError: none, too many, one twice or one that the round has not, or `hard` beside a kind of it.
        """
        known = self.known()
        found = tuple(name for name in DEFAULT if name in known) if wanted is None else tuple(wanted)
        told = ", ".join(f"{name} ({n} targets)" if n else name for name, n in known.items())
        if unknown := [name for name in found if name not in known]:
            raise UsageError(f"the round has no {', '.join(unknown)}; it has {told}")
        if not 1 <= len(found) <= MOST or len(set(found)) != len(found):
            raise UsageError(f"name one to {MOST} different players of {told}; each more doubles the rounds")
        parts = [name for name in found if name not in (HARD, REPLAY, *CHANNELS)]
        if HARD in found and parts:
            raise UsageError(f"{', '.join(parts)} is part of {HARD}: name one or the other")
        return found

    def without(self, out: Sequence[str]) -> tuple[list[Scored], Recipe]:
        """Targets and recipe where the players `out` are left out."""
        gone = set(out)
        silent = {key: 0.0 for name, key in CHANNELS.items() if name in gone}
        items = [item for item in self.items if not gone.intersection(self._of(item))]
        return items, self.recipe.model_copy(update=silent)

    def _of(self, item: Scored) -> tuple[str, ...]:
        """The players that a target belongs to."""
        if is_replay(item):
            return (REPLAY,)
        kind = self.kinds.get(item.key.rpartition("/")[0])
        return (HARD, kind) if kind else (HARD,)
