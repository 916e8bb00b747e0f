"""The evaluate stage's work: parent and candidate on held-out rows, by one forward pass of each, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from deploy.life.evaluation import Evaluation, JudgedReply, JudgedRow
from deploy.rounds.lost import LostReply
from feedback.checks.evidence import evidence
from feedback.privacy.vault import Vault
from feedback.texts import last_user, prompt_text
from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.data.rows import Row
from online_distill.data.selecting import prompt_key
from online_distill.evaluate.agreement import NOTHING, REPLY_TOKENS, argmax, cut, hits
from online_distill.evaluate.parts import PARTS, parts, rare_words

MOST_LOST = 20
"""Lost replies of a slice that are kept as examples."""
NONE_RIGHT = JudgedReply(agreement=0.0, exact=False, facts=False)
"""Of weights that are no numbers."""


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out row with its prompt and the teacher's reply as tokens."""

    row: Row
    text: Encoded


def judge(
    rows: Sequence[Row],
    parent: Path,
    candidate: Path,
    *,
    max_length: int,
    device: torch.device,
    vault: Vault | None = None,
) -> tuple[Evaluation, list[LostReply]]:
    """Every row that fits `max_length` tokens, judged for both, with means by slice, kind and language; and what
    was lost, with examples of each slice.

    Both models run in float32 from their stored weights. A candidate with weights that are no numbers is flagged and
    gets nothing right.
    """
    encoder = Encoder(parent)
    questions = [
        Question(row, text)
        for row in rows
        if (
            text := encoder.encode(
                row.messages,
                row.teacher_text,
                max_length=max_length,
                max_reply=REPLY_TOKENS,
                cut=row.cut,
                logged=row.teacher_tokens,
            )
        )
    ]
    texts = [question.text for question in questions]
    said = argmax(models.load(parent, device), texts)
    before = _judged(encoder, questions, said)
    model = models.load(candidate, device)
    finite = models.finite(model)
    later = argmax(model, texts) if finite else [[NOTHING] * len(tokens) for tokens in said]
    after = _judged(encoder, questions, later) if finite else [NONE_RIGHT] * len(texts)
    judged = [
        JudgedRow(
            id=q.row.id, slice=_slice(q.row), kind=q.row.cluster or q.row.lang, prompt=row_key(q.row, vault),
            parent=b, candidate=a,
        )
        for q, b, a in zip(questions, before, after, strict=True)
    ]  # fmt: skip
    summary = _summary([(q.row, found) for q, found in zip(questions, judged, strict=True)])
    for name, table in _by_part(encoder, questions, said, later).items():
        summary[name]["tokens"] = table
    lost = _lost(encoder, questions, judged, later) if finite else []
    return Evaluation(candidate_finite=finite, rows=tuple(judged), summary=summary), lost


def row_key(row: Row, vault: Vault | None = None) -> str:
    """Same prompt and same reply of the teacher, same key: what was judged by another teacher's reply is no twin.

    With a vault it is hashed under the tenant's key: nobody else can try whether something was asked.
    """
    text = f"{prompt_key(row)}|{row.teacher_text}"
    return vault.salted(row.tenant, text) if vault else hashlib.sha256(text.encode()).hexdigest()[:16]


def _slice(row: Row) -> Any:
    return "hard" if row.role == "hard" else "general"


def _judged(encoder: Encoder, questions: Sequence[Question], said: Sequence[Sequence[int]]) -> list[JudgedReply]:
    return [
        reply_judged(encoder, prompt_text(question.row.messages), question.text, tokens)
        for question, tokens in zip(questions, said, strict=True)
    ]


def reply_judged(encoder: Encoder, prompt: str, text: Encoded, said: Sequence[int]) -> JudgedReply:
    """Facts are those of the argmax tokens read as a text: a reply that is the teacher's but for a comma has them.

    They are compared as those of two greedy replies are, see `feedback.checks.evidence`.
    """
    right = hits(text, said)
    if all(right):
        return JudgedReply(agreement=1.0, exact=True, facts=True)
    reply = encoder.text(text.tokens[text.start :])
    other = evidence(prompt, reply, encoder.text([token for token in said if token != NOTHING]))
    return JudgedReply(agreement=sum(right) / len(right), exact=False, facts=not other)


def _lost(
    encoder: Encoder, questions: Sequence[Question], judged: Sequence[JudgedRow], later: Sequence[Sequence[int]]
) -> list[LostReply]:
    """Up to MOST_LOST examples of each slice: what lost facts first, then by id."""
    found: dict[str, list[LostReply]] = {}
    for question, one, said in zip(questions, judged, later, strict=True):
        row, reply = question.row, cut(question.text).tokens[question.text.start :]
        exact, facts = (getattr(one.parent, f) and not getattr(one.candidate, f) for f in ("exact", "facts"))
        if exact or facts:
            found.setdefault(one.slice, []).append(
                LostReply(
                    id=row.id, slice=one.slice, kind=one.kind, tenant=row.tenant, at=row.at, exact=exact, facts=facts,
                    asked=last_user(row.messages), teacher=encoder.text(reply),
                    candidate=encoder.text([token for token in said if token != NOTHING]),
                )
            )  # fmt: skip
    ranked = (sorted(rows, key=lambda one: (not one.facts, one.id)) for rows in found.values())
    return [one for rows in ranked for one in rows[:MOST_LOST]]


def _by_part(
    encoder: Encoder, questions: Sequence[Question], before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Agreement of parent and candidate by slice and by what a token is, with the number of tokens of each sort."""
    rare = rare_words([question.row.teacher_text for question in questions])
    found: dict[str, dict[str, list[tuple[bool, bool]]]] = {}
    for question, was, now in zip(questions, before, after, strict=True):
        reply, prompt = question.row.teacher_text, prompt_text(question.row.messages)
        sorts = found.setdefault(_slice(question.row), {part: [] for part in PARTS})
        kinds = parts(prompt, reply, encoder.spans(reply, question.row.teacher_tokens), rare)
        for part, *pair in zip(kinds, hits(question.text, was), hits(question.text, now), strict=False):
            sorts[part].append((pair[0], pair[1]))
    return {
        name: {
            part: {"n": len(pairs), "parent": fmean(b for b, _ in pairs), "candidate": fmean(a for _, a in pairs)}
            for part, pairs in sorts.items()
            if pairs
        }
        for name, sorts in found.items()
    }


def _summary(judged: Sequence[tuple[Row, JudgedRow]]) -> dict[str, Any]:
    """Means by group of parent and candidate: agreement, exact replies and facts."""
    groups: dict[str, list[JudgedRow]] = {}
    for row, found in judged:
        kinds = [f"hard/{row.kind}"] if row.role == "hard" and row.kind else []
        for name in (found.slice, f"{found.slice}/{row.lang}", *kinds):
            groups.setdefault(name, []).append(found)
    return {name: _means(found) for name, found in sorted(groups.items())}


def _means(rows: Sequence[JudgedRow]) -> dict[str, Any]:
    def both(figure: str) -> dict[str, float]:
        return {
            "parent": fmean(getattr(row.parent, figure) for row in rows),
            "candidate": fmean(getattr(row.candidate, figure) for row in rows),
        }

    return {"n": len(rows), **both("agreement"), "exact": both("exact"), "facts": both("facts")}
