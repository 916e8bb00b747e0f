"""From the sets to a model: what it learns from, which rows are left aside, and how its two thresholds are chosen."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serving.guard.folding import fold
from serving.guard.model.features import TextPieces, pieces
from serving.guard.model.linear import LinearModel
from trials.guard.chinese import chinese_attacks, chinese_benign, wrapped, wrappers
from trials.guard.evasions import looks_hidden
from trials.guard.fitting import Texts, fit
from trials.guard.groups import fold_of, groups
from trials.guard.rows import MADE, NAME, GuardRow, guard_rows
from trials.guard.turns import TurnPart, UserTurn, user_turns
from trials.guard.written import written, written_rows

SEED = 12
FLAGGED, DEGRADED = 0.0085, 0.0006
"""Shares of the turns of `choose` that are caught, and degraded: below 1 % and 0.1 %, with room for the next ones."""
WRAPPED, HIDDEN, LONG, CODE = 1500, 150, 400, 250
"""Harmless turns that are learned within a Chinese wrapper; texts of each kind that looks hidden; turns of many users
joined; pieces of Python's own library."""
ATTACK = 2.0
"""What an attack counts."""
CHINESE = 3.0
"""Times that a Chinese row counts more: they are few."""
WRITTEN = 1.0
"""What a row of `written.json` counts."""
TASK = 3.0
"""What a harmless instruction counts: they are few, and more like attacks than turns of dialogues are."""
VARIED = 400
"""Rows that are made of others in each of three ways."""
UNSEEN: tuple[TurnPart, ...] = ("choose", "judge")
"""Parts of the turns that nothing is learned from, in whose mix of sources the thresholds hold."""
LEARNED_MODULES = "abcdefghijklm"
LEARNED_HIDDEN = ("code", "jwt", "digest", "data_url", "emoji")
DECODED = ("base64", "hex", "rot13", "url")
"""Codes that are decoded before the model sees a text, so that it learns nothing of them."""


@dataclass(frozen=True, slots=True)
class GuardMaterial:
    """Rows, of which any may be left aside; behind them in `texts`, `labels` and `weights` the harmless turns."""

    rows: list[GuardRow]
    group: NDArray[np.int64]
    texts: Texts
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]
    choose: list[TextPieces]
    shares: NDArray[np.float64]
    """How many unseen turns each of `choose` stands for, so that all sources count by their size."""
    judge: list[UserTurn]

    def folds(self, count: int) -> NDArray[np.int64]:
        """The fold of each row."""
        return np.array([fold_of(int(group), count) for group in self.group])

    def without(self, left: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Rows that may be learned from where those of `left` may not: none of their groups."""
        return ~np.isin(self.group, np.unique(self.group[left]))


def gather(folder: Path, share: float = 1.0) -> GuardMaterial:
    """All that there is to learn from, or a `share` of it by chance. Needs the files of ../shared/data."""
    chance = random.Random(SEED)
    rows = [row for row in guard_rows(folder / NAME) if chance.random() < share]
    rows += chinese_attacks("train") + chinese_benign("train")
    rows += varied(rows, chance, around := wrappers("train"))
    rows += written_rows()
    told = [fold(row.text).text for row in rows]
    turns = {part: chance.sample(held, round(len(held) * share)) for part, held in user_turns(folder).items()}
    sizes = Counter(turn.source for part in UNSEEN for turn in turns[part])
    choose = [turn for turn in turns["choose"] if not turn.joined]
    chosen = Counter(turn.source for turn in choose)
    harmless = [turn.text for turn in turns["train"]]
    tasks = [TASK if turn.task else 1.0 for turn in turns["train"]]
    short = [text for text in harmless if len(text) < 400]
    harmless += [joined(chance, short) for _ in range(round(LONG * share))]
    harmless += code(chance, round(CODE * share))
    harmless += [wrapped(chance.choice(short), chance.choice(around)) for _ in range(round(WRAPPED * share))]
    for kind in LEARNED_HIDDEN:
        harmless += looks_hidden(kind, round(HIDDEN * share), "train")
    return GuardMaterial(
        rows,
        np.array(groups(rows, told)),
        Texts.of([*told, *(fold(text).text for text in harmless)]),
        np.array([float(row.attack) for row in rows] + [0.0] * len(harmless)),
        np.array([weight(row) for row in rows] + tasks + [1.0] * (len(harmless) - len(tasks))),
        [pieces(fold(turn.text).text) for turn in choose],
        np.array([sizes[turn.source] / chosen[turn.source] for turn in choose]),
        turns["judge"],
    )


def varied(rows: Sequence[GuardRow], chance: random.Random, around: Sequence[str]) -> list[GuardRow]:
    """Attacks with nonsense behind them, wrapped, or beside a harmless text; each in the group of its plain one."""
    attacks = [row for row in rows if row.attack and len(row.text) < 400 and weight(row) > 0]
    plain = [row for row in attacks if row.family == "harmful_request:advbench"]
    short = [row for row in rows if not row.attack and row.family.startswith("benign:cs_")]
    if not plain or not short:
        return []
    nonsense = "".join(code(chance, 20))
    count = min(VARIED, len(plain))
    made = [(row, f"{row.text} {_nonsense(nonsense, chance)}") for row in chance.sample(plain, count)]
    attacks = [row for row in attacks if row.family.partition(":")[0] != "harmful_request"]
    made += [(row, wrapped(row.text, chance.choice(around))) for row in chance.choices(attacks, k=count)]
    beside = ("{1} {0}", "{1}\n\n{0}", "{0} {1}")
    made += [
        (row, chance.choice(beside).format(row.text, chance.choice(short).text))
        for row in chance.choices(attacks, k=count)
    ]
    return [
        GuardRow(
            text,
            "attack",
            f"{MADE}:{row.family}",
            row.language,
            "",
            {"plain": row.meta.get("plain", row.text), **row.meta},
        )
        for row, text in made
    ]


def _nonsense(source: str, chance: random.Random) -> str:
    """TextPieces of words and signs, as a search by gradients leaves them."""
    parts = []
    for _ in range(chance.randint(8, 22)):
        start = chance.randrange(len(source) - 12)
        parts.append(source[start : start + chance.randint(2, 10)].strip())
    return "".join(part + chance.choice(("", " ", " ", "!", '"', "](", " {", ".")) for part in parts)


def weight(row: GuardRow) -> float:
    """How much a row counts in learning; 0: not at all."""
    kind, _, name = row.family.partition(":")
    if kind == "indirect_injection" or name.removeprefix("encoded_") in DECODED:
        return 0.0
    if kind == "harmful_request":
        return 0.5 if row.language == "zh" else 1.0
    if kind == MADE:
        return WRITTEN * (CHINESE if row.language == "zh" else 1.0) if written(row) else 1.0
    return (ATTACK if row.attack else 1.0) * (CHINESE if row.language == "zh" else 1.0)


def learned(material: GuardMaterial, keep: NDArray[np.bool_] | None = None) -> LinearModel:
    """A model of the rows of `keep` (all of them) and the harmless turns, with thresholds."""
    mask = material.weights > 0
    if keep is not None:
        mask[: len(keep)] &= keep
    taken = np.flatnonzero(mask)
    texts = Texts([material.texts.found[n] for n in taken], material.texts.matrix[taken])
    model = quantised(fit(texts, material.labels[taken], material.weights[taken]))
    return with_thresholds(model, material.choose, material.shares)


def quantised(model: LinearModel) -> LinearModel:
    """The model with weights of eight bits, as they are kept."""
    scale = float(np.abs(model.weights).max()) / 127
    return replace(model, weights=(np.rint(model.weights / scale) * scale).astype(np.float32))


def with_thresholds(model: LinearModel, turns: Sequence[TextPieces], shares: NDArray[np.float64]) -> LinearModel:
    """The model with the lowest thresholds that catch and degrade no more of `turns` than is asked, in either language.

    Each turn stands for so many as `shares` says.
    """
    chinese = np.array([3 * len(found.pairs) >= found.n for found in turns])
    scores = np.array([model.of(found) for found in turns])
    if chinese.any() and not chinese.all():
        others, held = (_edge(scores[mask], shares[mask], FLAGGED) for mask in (~chinese, chinese))
        model = replace(model, han=others - held)
    scores = np.array([model.of(found) for found in turns])
    return replace(model, flag=_edge(scores, shares, FLAGGED), degrade=_edge(scores, shares, DEGRADED))


def _edge(scores: NDArray[np.float64], shares: NDArray[np.float64], most: float) -> float:
    """The score that a share `most` lies above, at most."""
    order = np.argsort(scores)[::-1]
    above = np.cumsum(shares[order]) / shares.sum()
    return float(np.nextafter(scores[order][np.searchsorted(above, most)], np.inf))


def joined(chance: random.Random, texts: Sequence[str]) -> str:
    """Texts of many users, up to some thousand characters."""
    length, held = chance.randint(500, 4000), [chance.choice(texts)]
    while sum(map(len, held)) < length:
        held.append(chance.choice(texts))
    return chance.choice(("\n", " ", "\n\n")).join(held)


def code(chance: random.Random, count: int) -> list[str]:
    """TextPieces of the modules of Python's own library whose names begin with a to m; the others are for judging."""
    files = [file for file in sorted(Path(json.__file__).parents[1].glob("*.py")) if file.name[0] in LEARNED_MODULES]
    found = []
    for _ in range(count):
        text = chance.choice(files).read_text("utf-8", "replace")
        start = chance.randrange(len(text))
        found.append(text[start : start + chance.randint(200, 3000)])
    return found
