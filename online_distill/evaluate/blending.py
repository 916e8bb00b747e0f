"""Which share of the trained weights a candidate gets, chosen on the round's development rows.

Those are neither trained on nor held out: on what the gate judges by, nothing is chosen. Each share of the recipe's
`blends` makes a student as it would be stored, asked by one forward pass what it says to each row. A small share keeps
more of what was known, a large one has more of what is new; the rule takes what keeps and, of that, what learned most.

Keeps: on general rows a share loses, beside the smallest one, no more exact replies than it wins, but for one standard
error of that difference, the square root of their number (the rule of Breiman et al. 1984, Classification and
Regression Trees, for the simplest tree that is no worse). So one lost reply is noise, two without one that is won are
not. Learned most: the most exact replies to new prompts, then the most of their tokens; of equals the smaller share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.data.rows import Row
from online_distill.evaluate.agreement import REPLY_TOKENS, argmax, hits
from online_distill.progress import Progress
from understudy.clock import Clock
from understudy.ids import unit_fraction

LEAST = {"general": 10, "new": 5}
"""Rows below which nothing is chosen."""
DevelopmentText = tuple[bool, Encoded]
"""Whether it is new, prompt and reply."""
AT_ONCE = 16
"""Rows between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class BlendFigures:
    """What a share says to the development rows: which replies are exact, in the order of the rows."""

    blend: float
    general: Sequence[bool]
    new: Sequence[bool]
    tokens: float
    """Of the replies to new prompts, the share of tokens that agree, a mean over replies."""


def development_texts(rows: Sequence[Row], encoder: Encoder, max_length: int) -> list[DevelopmentText]:
    """Each row that fits, in an order by hash, of which every beginning is a fair share."""
    found = []
    for row in sorted(rows, key=lambda row: (unit_fraction("blend", row.exchange), row.id)):
        text = encoder.encode(
            row.messages, row.teacher_text, max_length=max_length, max_reply=REPLY_TOKENS, cut=row.cut,
            logged=row.teacher_tokens,
        )  # fmt: skip
        if text is not None:
            found.append((row.role == "hard", text))
    return found


def choose_blend(found: Sequence[BlendFigures], fixed: float) -> tuple[float, str]:
    """(the share to take, why) by the rule above; `fixed` where there are too few rows. `found`: the smallest first."""
    least = found[0]
    for name, n in (("general", len(least.general)), ("new", len(least.new))):
        if n < LEAST[name]:
            return fixed, f"{n} {name} development rows, fewer than {LEAST[name]}: the fixed one"
    keeping = [one for one in found if keeps(least, one)]
    best = max(keeping, key=lambda one: (sum(one.new), one.tokens, -one.blend))
    others = ", ".join(f"{one.blend:g}" for one in found if one not in keeping)
    learned = f"most exact replies to new prompts, {sum(best.new)} of {len(best.new)}"
    return best.blend, f"{learned}, of those that keep; not kept by {others}" if others else learned


def keeps(least: BlendFigures, one: BlendFigures) -> bool:
    """Whether a share loses no more general replies than the smallest one, but for a standard error."""
    lost, won = turned(least.general, one.general)
    return lost - won <= math.sqrt(lost + won)


def turned(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int]:
    """(replies that are no longer exact, replies that have become so)."""
    pairs = list(zip(before, after, strict=True))
    return sum(was and not now for was, now in pairs), sum(now and not was for was, now in pairs)


def told(found: Sequence[BlendFigures]) -> list[dict[str, Any]]:
    """The figures of each share, for the round's record."""
    least = found[0]
    return [
        {
            "blend": one.blend, "general": sum(one.general), "new": sum(one.new), "tokens": round(one.tokens, 4),
            **dict(zip(("lost", "won"), turned(least.general, one.general), strict=True)), "keeps": keeps(least, one),
        }
        for one in found
    ]  # fmt: skip


def compare_blends(
    parent: Path,
    trained: dict[str, Tensor],
    blends: Sequence[float],
    texts: Sequence[DevelopmentText],
    *,
    device: torch.device,
    seconds: float,
    clock: Clock,
    progress: Progress,
) -> list[BlendFigures]:
    """What each share, the smallest first, says to the texts: to as many of them, from the first, as `seconds` allow.

    How many that are is found with the smallest share, so that all are judged on the same ones.
    """
    model = models.load(parent, device)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found: list[BlendFigures] = []
    for done, share in enumerate(blends):
        progress(done, len(blends), f"blend {share:g}")
        model.load_state_dict(before)
        models.blend(model, trained, share)
        models.as_stored(model)
        began, right = clock(), list[list[bool]]()
        for start in range(0, len(texts), AT_ONCE):
            batch = [text for _, text in texts[start : start + AT_ONCE]]
            right += [hits(text, said) for text, said in zip(batch, argmax(model, batch), strict=True)]
            if not found and clock() - began > seconds / len(blends):
                break
        texts = texts[: len(right)]
        found.append(_figures(share, [new for new, _ in texts], right))
    return found


def _figures(share: float, new: Sequence[bool], right: Sequence[list[bool]]) -> BlendFigures:
    learned = [one for one, is_new in zip(right, new, strict=True) if is_new]
    known = [one for one, is_new in zip(right, new, strict=True) if not is_new]
    tokens = fmean(sum(one) / len(one) for one in learned) if learned else 0.0
    return BlendFigures(share, [all(one) for one in known], [all(one) for one in learned], tokens)
