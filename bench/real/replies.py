"""Greedy replies of a model in this process, in float32 as it is judged, as tokens, kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.real.prompts import RealPrompt
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS

BATCH = 24


def greedy(model: Any, encoder: Encoder, prompts: Sequence[RealPrompt]) -> list[list[int]]:
    """The tokens of each reply, its end token among them unless it was cut at `REPLY_TOKENS`."""
    asked = [encoder.prompt(list(one.messages)) for one in prompts]
    order = sorted(range(len(asked)), key=lambda i: len(asked[i]))
    found: list[list[int]] = [[] for _ in asked]
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        width = max(len(asked[i]) for i in part)
        rows = [[0] * (width - len(asked[i])) + asked[i] for i in part]
        mask = [[0] * (width - len(asked[i])) + [1] * len(asked[i]) for i in part]
        with torch.inference_mode():
            out = model.generate(
                torch.tensor(rows), attention_mask=torch.tensor(mask), max_new_tokens=REPLY_TOKENS, do_sample=False,
                eos_token_id=encoder.end, pad_token_id=encoder.end,
            )  # fmt: skip
        for index, tokens in zip(part, out[:, width:].tolist(), strict=True):
            found[index] = until(tokens, encoder.end)
    return found


def until(tokens: Sequence[int], end: int) -> list[int]:
    """`tokens` up to their first end token, which stays."""
    return list(tokens[: tokens.index(end) + 1]) if end in tokens else list(tokens)


class KeptReplies:
    """Replies of one model in a file of lines that grows; what was asked of it in the same words is not asked again."""

    def __init__(self, file: Path, folder: Path, encoder: Encoder) -> None:
        self._file, self._folder, self._encoder = file, folder, encoder
        self._model = weights_of(folder)
        self._known: dict[str, list[int]] = {}
        if file.is_file():
            rows = (json.loads(line) for line in file.read_text("utf-8").splitlines())
            self._known = {row["asked"]: row["tokens"] for row in rows if "asked" in row}

    def of(self, prompts: Sequence[RealPrompt]) -> list[list[int]]:
        """The reply to each."""
        new = [one for one in prompts if self._name(one) not in self._known]
        if new:
            model = models.load(self._folder)
            for start in range(0, len(new), 4 * BATCH):
                part = new[start : start + 4 * BATCH]
                self._keep(part, greedy(model, self._encoder, part))
        return [self._known[self._name(one)] for one in prompts]

    def _name(self, one: RealPrompt) -> str:
        """Of a prompt by its words and of whom it is asked: rows of two files may be called alike."""
        return hashlib.sha256(json.dumps([self._model, one.asked]).encode()).hexdigest()[:24]

    def _keep(self, prompts: Sequence[RealPrompt], replies: Sequence[list[int]]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as out:
            for one, tokens in zip(prompts, replies, strict=True):
                name = self._name(one)
                self._known[name] = tokens
                out.write(json.dumps({"id": one.id, "asked": name, "tokens": tokens}) + "\n")


def weights_of(folder: Path) -> str:
    """One hash of all weights of a model."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()
