"""What coalitions of players are worth, from held-out rows that all of them were judged on. Pure.

The rows are the same for all coalitions, so these are no independent values: each row has contributions of its own,
and the interval is that of their mean over rows. It is that of one look, since the rows were set aside beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ab.shapley import Coalition, adds_up, weights
from ab.summary import Stat
from deploy.life.evaluation import JudgedReply, JudgedRow

Z = 1.959964
"""Standard errors of a 95 % interval."""
FIGURES: tuple[Literal["agreement", "exact", "facts"], ...] = ("agreement", "exact", "facts")
"""Of a reply alone: what users did with it needs users, and a round that is replayed has none."""
SLICES = ("hard", "general")


class CoalitionRows(BaseModel):
    """One coalition's replies, as stored once it is judged."""

    model_config = ConfigDict(frozen=True)
    schema_version: Literal[1] = 1
    members: tuple[str, ...]
    inputs: str
    """Digest of plan and held-out rows: what was judged by others is judged again."""
    weights: str
    """Digest of what was trained; empty where nothing was."""
    seconds: float
    rows: dict[str, tuple[str, JudgedReply]]
    """By the row's id: its slice, and the reply."""

    @classmethod
    def rows_of(cls, judged: Sequence[JudgedRow]) -> dict[str, tuple[str, JudgedReply]]:
        """The candidate's replies."""
        return {row.id: (row.slice, row.candidate) for row in judged}


def attributed(players: Sequence[str], found: Mapping[Coalition, CoalitionRows]) -> dict[str, Any]:
    """By slice and figure (`hard.exact`): the change from no player to all, and what each contributed to it."""
    common = set.intersection(*(set(one.rows) for one in found.values()))
    told = {}
    for slice_ in SLICES:
        ids = sorted(row for row in common if found[frozenset()].rows[row][0] == slice_)
        for figure in FIGURES if ids else ():
            values = {some: [float(getattr(one.rows[row][1], figure)) for row in ids] for some, one in found.items()}
            told[f"{slice_}.{figure}"] = _attributed(players, values)
    return told


def _attributed(players: Sequence[str], values: Mapping[Coalition, Sequence[float]]) -> dict[str, Any]:
    change = _over_rows(values, {frozenset(players): 1.0, frozenset(): -1.0})
    means = {some: Stat.of(of) for some, of in values.items()}
    moved = change["lower"] > 0 or change["upper"] < 0
    parts = {player: _over_rows(values, weights(players, player)) for player in players} if moved else {}
    whole = [part["value"] for part in parts.values()]
    if parts and not adds_up(whole, change["value"], 1.0):
        raise ArithmeticError(f"the contributions add up to {sum(whole)}, not {change['value']}")
    return {
        "n": means[frozenset()].n, "change": change, "attributed": moved,
        "why": "" if moved else "no change that can be told from none, so there is nothing to attribute",
        "shapley": parts, "sum": sum(whole) if parts else None,
        "values": {",".join(p for p in players if p in some): [of.mean, of.error] for some, of in means.items()},
    }  # fmt: skip


def _over_rows(values: Mapping[Coalition, Sequence[float]], counts: Mapping[Coalition, float]) -> dict[str, float]:
    """Mean over rows of the sum of their values times `counts`, with its 95 % interval."""
    columns = [[weight * value for value in values[some]] for some, weight in counts.items()]
    found = Stat.of([sum(row) for row in zip(*columns, strict=True)])
    half = Z * found.error
    return {"value": found.mean, "lower": found.mean - half, "upper": found.mean + half}
