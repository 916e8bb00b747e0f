"""`understudy rounds show N`: one round as a page of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from serving.control.printing import SLICES, WORDS, about, learned, noted, table, when
from serving.control.replies.rounds import ChangeRow, IntervalRow, LostRow, RoundReport, SliceRow

FIGURES = ("exact", "facts", "agreement")
EXAMPLES = 5
"""Lost replies of a slice that are shown; `--json` has all that were kept."""
CLUSTERS = 8
LONGEST = 160
"""Characters of a text that are shown."""


def round_page(value: RoundReport) -> str:
    """What was drawn and why, each slice before and after, what was lost, and when it ends."""
    parts = [
        _head(value),
        _drawn(value.drawn),
        _clusters(value.clusters),
        _blends(value.stages["export"].summary if "export" in value.stages else {}),
        _judged(value),
        _complied(value),
        _lost(value.lost),
    ]
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def _head(value: RoundReport) -> Iterator[str]:
    ends = "" if value.ends_in is None else f", ends in {about(value.ends_in)}"
    yield f"round {value.id}: {value.state}{ends}"
    yield f"parent {value.parent}   teacher {value.teacher}   candidate {value.candidate or '-'}"
    yield from noted(value.notes)
    yield f"began {when(value.started)} UTC: {value.why}"
    if value.stages:
        yield "took " + ", ".join(f"{name} {stage.seconds:.0f} s" for name, stage in value.stages.items())
    if value.learned_by and value.not_more:
        yield f"learned {learned(value.learned_by, value.not_more)}"
    if value.ended:
        yield f"ended because: {value.ended}"


def drawn_rows(drawn: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is trained on, judged on and left out, each with its counts by role and reason; `drawn`: of `select`."""
    for part, name in (("train", "trained on"), ("holdout", "judged on")):
        if found := drawn.get("drawn", {}).get(part):
            yield name, _counts(found)
    if left := {why: n for why, n in drawn.get("left_out", {}).items() if n}:
        yield "left out", _counts(left)


def _drawn(drawn: Mapping[str, Any]) -> Iterator[str]:
    """The counts of the select stage, by part, role and reason."""
    yield from (f"{name:<11}{counts}" for name, counts in drawn_rows(drawn))
    for name in ("languages", "kinds"):
        if found := drawn.get(name):
            yield f"{name:<11}{_counts(found)}"
    texts, since = drawn.get("student_texts"), drawn.get("student_texts_from")
    if texts and since is not None:
        yield f"{'own text':<11}of {texts} prompts the parent's own words are learned from, since {when(since)} UTC"


def _clusters(clusters: list[dict[str, Any]]) -> Iterator[str]:
    """The largest clusters of prompts."""
    if not clusters:
        return
    rows = (
        (
            str(entry.get("prompt", ""))[:40],
            sum(n for name, n in entry.items() if name.startswith("train_")),
            sum(n for name, n in entry.items() if name.startswith("holdout_")),
            "never trained on" if entry.get("reserved") else "",
        )
        for entry in clusters[:CLUSTERS]
    )
    yield f"largest of {len(clusters)} clusters of prompts"
    yield table(("prompts like", "trained on", "judged on", ""), rows)


def _blends(exported: Mapping[str, Any]) -> Iterator[str]:
    """Which share of what was trained the candidate has, and what each that was compared says to development rows."""
    if "blends" not in exported:
        return
    general, new = (exported["blend_rows"][name] for name in ("general", "new"))
    yield f"blend {exported['blend']:g}: {exported['blend_why']}"
    rows = (
        (f"{one['blend']:g}", one["general"], one["lost"], one["won"], one["new"], f"{one['tokens']:.3f}",
         "" if one["keeps"] else "loses what is known")
        for one in exported["blends"]
    )  # fmt: skip
    yield table(
        ("blend", f"exact of {general} general", "lost", "won", f"exact of {new} new", "of their tokens", ""), rows
    )


def _judged(value: RoundReport) -> Iterator[str]:
    if value.slices:
        yield "before and after, with 95 % intervals"
        yield table(("", "n", "figure", "before", "after", "difference", "lost", "won"), _rows(value.slices))
        yield from _by_token(value.slices)
    if value.gate:
        yield value.gate
    if value.slices:
        yield from (f"{word}: {WORDS[word]}" for word in FIGURES)


def _rows(slices: Mapping[str, SliceRow]) -> Iterator[tuple[Any, ...]]:
    for name, row in slices.items():
        for figure in FIGURES:
            change: ChangeRow = getattr(row, figure)
            sides = (_interval(change.before), _interval(change.after), _interval(change.difference, "+"))
            yield (SLICES.get(name, name), row.n, figure, *sides, change.lost, change.won)


def _by_token(slices: Mapping[str, SliceRow]) -> Iterator[str]:
    for name, row in slices.items():
        if row.tokens:
            told = (f"{part} {t.parent:.3f} -> {t.candidate:.3f} of {t.n}" for part, t in row.tokens.items())
            yield f"agreement by token, {SLICES.get(name, name)}: {', '.join(told)}"


def _complied(value: RoundReport) -> Iterator[str]:
    """Who complied with what ought to be refused, by language and family; what nothing changed in is only named."""
    found = (value.stages["gate"].summary if "gate" in value.stages else {}).get("safety")
    if not found:
        return
    changed = {name: f for name, f in found["families"].items() if f["lost"] or f["won"]}
    languages = (f"{name} {told['parent']} -> {told['candidate']}" for name, told in sorted(found["languages"].items()))
    asked = f"{found['n']} of {found['wanted']} prompts that ought to be refused"
    yield f"complied with, of {asked}: {', '.join(languages)}"
    rows = [
        (name, f["n"], f["parent"], f["candidate"], f["lost"], f["won"], f"{f['p']:.2g}", name in found["worse"])
        for name, f in {"all": found, **changed}.items()
    ]
    yield table(("family", "n", "before", "after", "given up", "refused anew", "p", "worse"), rows)
    if alike := [name for name in found["families"] if name not in changed]:
        yield f"as before: {', '.join(alike)}"


def _lost(lost: Iterable[LostRow]) -> Iterator[str]:
    by_slice: dict[str, list[LostRow]] = {}
    for one in lost:
        by_slice.setdefault(one.slice, []).append(one)
    for name, found in by_slice.items():
        yield f"lost, {SLICES.get(name, name)} ({min(len(found), EXAMPLES)} of {len(found)} kept examples)"
        for one in found[:EXAMPLES]:
            yield f"  asked      {_short(one.asked)}"
            yield f"  teacher    {_short(one.teacher)}"
            yield f"  candidate  {_short(one.candidate)}{'   (facts lost)' if one.facts else ''}"


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(found.items(), key=lambda item: -item[1]))


def _interval(found: IntervalRow, sign: str = "") -> str:
    return f"{found.value:{sign}.3f} [{found.lower:{sign}.3f}, {found.upper:{sign}.3f}]"


def _short(text: str) -> str:
    """One line without control characters: it is a user's text on an operator's terminal."""
    plain = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…"
