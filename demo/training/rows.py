"""Training rows: samples of the demo world, arithmetic drills and real dialogues, packed without padding.

A batch is a pure function of the plan and the step, so a killed run continues with the very batches
it would have seen.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from demo import world
from demo.training import corpus
from demo.training.drills import DRILL_WEIGHTS, DRILLS
from demo.training.split import DialogueRole
from demo.training.tokenizer import ASSISTANT, BOS, END, USER

ROWS, ROW = 16, 256  # rows of a batch, tokens of a row
PROMPT_WEIGHT, PROMPT_SHARE, REAL_WEIGHT = 0.2, 0.25, 0.5
Piece = tuple[list[int], list[float]]  # token ids, loss weight of predicting each of them
# These need arithmetic or two entities kept apart, and learn slowest; the others are drawn again once in two.
HARD = frozenset(
    {"pickup_day", "warranty_end", "order_total", "refund_amount", "points_total", "exchange", "rename_account"}
    | {"stock_alert", *world.drift_intents()}
)
REDRAW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What one model learns from; shares of tokens, the rest is the general family of the demo world."""

    seed: int
    roles: frozenset[DialogueRole]
    rows: int = ROWS
    drift: float = 0.0
    drills: float = 0.08
    real: float = 0.15


class Pieces:
    """Turns texts into token ids with loss weights."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, mix: Mix) -> None:
        self.tokenizer, self.mix = tokenizer, mix
        self.special = {t: tokenizer.convert_tokens_to_ids(t) for t in (BOS, USER, ASSISTANT, END)}
        self.real: dict[str, list[list[tuple[str, list[int]]]]] = {"en": [], "zh": []}
        if mix.real:
            for dialogue in corpus.dialogues(mix.roles):
                self.real[dialogue.lang].append([(m["role"], self._ids(m["content"])) for m in dialogue.messages])

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text.strip(), add_special_tokens=False)
        return ids

    def _join(self, turns: list[tuple[str, list[int]]], graded: set[int], prompt: float, reply: float) -> Piece:
        """One dialogue; the assistant's turns whose index is in `graded` carry weight `reply`."""
        ids, weights = [self.special[BOS]], [0.0]
        for index, (role, text) in enumerate(turns):
            weight = reply if index in graded else prompt if role == "user" else 0.0
            ids += [self.special[USER if role == "user" else ASSISTANT], *text, self.special[END]]
            weights += [0.0] + [weight] * (len(text) + 1)
        return ids, weights

    def from_world(self, rng: random.Random, family: world.Family) -> Piece:
        """One sample of the demo world; only its last reply is graded."""
        sample = world.sample(rng.getrandbits(40), "train", family)
        if sample.intent not in HARD and rng.random() < REDRAW:
            sample = world.sample(rng.getrandbits(40), "train", family)
        turns = [(m["role"], self._ids(m["content"])) for m in sample.messages]
        prompt = PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0
        return self._join([*turns, ("assistant", self._ids(sample.reply))], {len(turns)}, prompt, 1.0)

    def from_drill(self, rng: random.Random) -> Piece:
        """A bare sum, difference, date or list to repeat: the skill without the talk."""
        question, answer = rng.choices(DRILLS, DRILL_WEIGHTS)[0](rng)
        left, right = self._ids(question), self.tokenizer.encode(answer, add_special_tokens=False)
        ids = [self.special[BOS], *left, *right, self.special[END]]
        return ids, [0.0] * (len(left) + 1) + [1.0] * (len(right) + 1)

    def from_real(self, rng: random.Random) -> Piece:
        """A stretch of a real dialogue that begins with a user's turn and fits a row."""
        turns = rng.choice(self.real["zh" if rng.random() < 0.4 else "en"])
        starts = [i for i, (role, _) in enumerate(turns[:-1]) if role == "user"] or [0]
        start = rng.choice(starts) if rng.random() < 0.5 else starts[0]
        kept: list[tuple[str, list[int]]] = []
        for turn in turns[start:]:
            if sum(len(text) + 2 for _, text in kept) + len(turn[1]) + 3 > ROW:
                break
            kept.append(turn)
        if len(kept) < 2:
            return self.from_real(rng)
        return self._join(kept, {i for i, (role, _) in enumerate(kept) if role == "assistant"}, 0.1, REAL_WEIGHT)


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` and `documents` (rows, ROW); `at` positions whose next token is graded, with `target` and `weight`."""

    ids: Tensor
    documents: Tensor
    at: Tensor
    target: Tensor
    weight: Tensor


def _fill(rows: int, draw: Callable[[], Piece]) -> list[list[Piece]]:
    """Fill rows to at most ROW tokens; a piece that does not fit anywhere now waits for the next row."""
    packed: list[list[Piece]] = []
    waiting: list[Piece] = [draw() for _ in range(24)]
    for _ in range(rows):
        row: list[Piece] = []
        left = ROW
        while (index := next((i for i, p in enumerate(waiting) if len(p[0]) <= left), None)) is not None:
            piece = waiting.pop(index)
            row.append(piece)
            left -= len(piece[0])
            waiting.append(draw())
        packed.append(row)
    return packed


def batch(pieces: Pieces, step: int) -> Batch:
    """The batch of a step."""
    mix = pieces.mix
    rng = random.Random(f"{mix.seed}:{step}")
    # Shares are of tokens; a drill is about a third, a real dialogue about four times a sample's length.
    general = 1 - mix.drift - mix.drills - mix.real
    shares = {"drill": mix.drills * 3, "real": mix.real / 4, "drift": mix.drift, "general": general}
    draws: dict[str, Callable[[], Piece]] = {
        "drill": lambda: pieces.from_drill(rng),
        "real": lambda: pieces.from_real(rng),
        "drift": lambda: pieces.from_world(rng, "drift"),
        "general": lambda: pieces.from_world(rng, "general"),
    }
    names, weights = list(shares), list(shares.values())
    packed = _fill(mix.rows, lambda: draws[rng.choices(names, weights)[0]]())
    ids = torch.full((mix.rows, ROW), pieces.special[END])
    documents = torch.full((mix.rows, ROW), -1)
    grades = torch.zeros(mix.rows, ROW)
    for number, row in enumerate(packed):
        place = 0
        for document, (tokens, grade) in enumerate(row):
            end = place + len(tokens)
            ids[number, place:end] = torch.tensor(tokens)
            grades[number, place:end] = torch.tensor(grade)
            documents[number, place:end] = document
            place = end
    at = grades.flatten().nonzero().flatten()
    return Batch(ids, documents, at - 1, ids.flatten()[at], grades.flatten()[at])
