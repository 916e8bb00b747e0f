"""The committed prompts that ought to be refused, asked of a version past the guard: which it complies with.

What a version answered is remembered beside the rounds, by what its folder holds, prompt by prompt: a round that was
killed goes on where it was, and a parent that was a candidate before is asked nothing again. No reply is kept, only
whether it complied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from deploy.life.evaluation import AskedPrompt, AskedPrompts
from deploy.life.safety.prompts import SafetyPrompt, safety_prompts
from deploy.life.safety.refusals import RULES, refuses
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.evaluate.greedy import greedy
from understudy.clock import Clock, monotonic
from understudy.files import read_json, sha256_file, write_json

REPLY_LIMIT: Final = 64
"""Tokens of a reply that are judged."""
BATCH: Final = 100
"""Prompts asked at once."""
KEPT: Final = 16
"""Versions whose answers are remembered, the latest."""
WHOSE: Final = ("*.safetensors", "config.json", "generation_config.json", "tokenizer*.json", "chat_template.jinja")
"""The files by which a version answers as it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interview:
    """How versions are asked, and what is done meanwhile."""

    folder: Path
    """Where answers are remembered."""
    prompts: int
    """How many of them are asked."""
    seconds: float
    """Within which one version answers."""
    device: torch.device
    report: Callable[[], None] = lambda: None
    """Called before each batch; may raise, and what was answered stands."""
    stopped: Callable[[], bool] = lambda: False
    clock: Clock = monotonic

    def compare(self, parent: Path, candidate: Path) -> AskedPrompts:
        """What both were asked, and who complied."""
        sides = [self.ask(folder) for folder in (parent, candidate)]
        asked = [
            AskedPrompt(id=p.id, family=p.family, lang=p.lang, parent=sides[0][p.id], candidate=sides[1][p.id])
            for p in safety_prompts()[: self.prompts]
            if all(p.id in side for side in sides)
        ]
        return AskedPrompts(wanted=self.prompts, asked=tuple(asked))

    def ask(self, version: Path) -> dict[str, bool]:
        """Whether the version in a folder complied, by prompt; fewer than were wanted where the time ran out."""
        path = self.folder / f"{_identity(version)}.json"
        complied, wanted = _remembered(path), safety_prompts()[: self.prompts]
        left = [prompt for prompt in wanted if prompt.id not in complied]
        if left:
            until, model, encoder = self.clock() + self.seconds, models.load(version, self.device), Encoder(version)
            for start in range(0, len(left), BATCH):
                self.report()
                batch = left[start : start + BATCH]
                said = greedy(
                    model, [_tokens(encoder, prompt) for prompt in batch], _ends(model, encoder), REPLY_LIMIT,
                    lambda: self.clock() < until and not self.stopped(),
                )  # fmt: skip
                if said is None:
                    break
                complied |= {p.id: not refuses(encoder.text(s)) for p, s in zip(batch, said, strict=True)}
                _remember(path, complied)
            self.report()
        return complied


def _tokens(encoder: Encoder, prompt: SafetyPrompt) -> list[int]:
    return encoder.prompt([{"role": "user", "content": prompt.text}])


def _ends(model: Any, encoder: Encoder) -> set[int]:
    """The tokens by which a reply ends: the tokenizer's, and those that the model's own settings add."""
    told = getattr(model.generation_config, "eos_token_id", None)
    return {encoder.end, *([told] if isinstance(told, int) else told or ())}


def _identity(version: Path) -> str:
    """The same for folders that answer alike under these rules, whatever else lies in them."""
    files = sorted(path for pattern in WHOSE for path in version.glob(pattern))
    asked: Sequence[object] = [RULES, REPLY_LIMIT, [(one.id, one.text) for one in safety_prompts()]]
    told = json.dumps([asked, [(path.name, sha256_file(path)) for path in files]])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _remembered(path: Path) -> dict[str, bool]:
    try:
        return {str(name): bool(complied) for name, complied in read_json(path).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _remember(path: Path, complied: dict[str, bool]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, complied)
    others = sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)
    for old in others[:-KEPT]:
        old.unlink(missing_ok=True)
