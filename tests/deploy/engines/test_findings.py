"""What an API answers otherwise than before, by its probes."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.engines.findings import (
    FILE,
    KEPT_CHANGES,
    RECENT,
    ProbeAnswer,
    TeacherFindings,
    compared,
    read_findings,
    write_findings,
)
from understudy.state import StateDir

PROMPTS = "abcde"


def found(at: float = 1.0, texts: str = "ABCDE", unsteady: str = "", **more: Any) -> TeacherFindings:
    answers = [ProbeAnswer(prompt=p, text=t, steady=p not in unsteady) for p, t in zip(PROMPTS, texts, strict=True)]
    given = {"url": "http://h/v1", "model": "m", "served": "big-1", "asked": at, "answers": tuple(answers), **more}
    return TeacherFindings(**given)


def test_the_same_answers_are_no_change() -> None:
    now = compared(found(1.0), found(2.0))
    assert (now.changes, now.since, now.identity) == ((), 0.0, found(1.0).identity)


@pytest.mark.parametrize(
    ("now", "said", "renamed", "replaced"),
    [
        (found(2.0, fingerprint="fp-2"), "system_fingerprint is fp-2, was none", True, False),
        (found(2.0, served="big-2"), "the model's own name is big-2, was big-1", True, True),
        (found(2.0, replies=20), "what it gives is text, and 20 log-probabilities", False, False),
        (found(2.0, texts="ABCDX"), "1 of 5 probes are answered otherwise, such as 'e': 'E' -> 'X'", True, False),
        (found(2.0, texts="AVWXY"), "4 of 5 probes are answered otherwise", True, True),
        (found(2.0, texts="AVWXY", unsteady="bcd"), "1 of 2 probes", True, False),
    ],
)
def test_what_changed_is_named_and_another_model_is_told_from_a_change(
    now: TeacherFindings, said: str, renamed: bool, replaced: bool
) -> None:
    told = compared(found(1.0), now)
    (change,) = told.changes
    assert said in "; ".join(change.what)
    assert (change.at, change.replaced) == (2.0, replaced)
    assert told.since == (2.0 if replaced else 0.0)
    assert (told.identity != found(1.0).identity) is renamed


def test_a_probe_that_is_never_answered_alike_tells_nothing() -> None:
    assert compared(found(1.0, unsteady="abcde"), found(2.0, texts="VWXYZ", unsteady="abcde")).changes == ()


def test_a_teacher_that_comes_back_is_not_the_one_before() -> None:
    """What was said meanwhile is not its own."""
    first = found(1.0)
    other = compared(first, found(2.0, served="big-2"))
    again = compared(other, found(3.0))
    assert len({first.identity, other.identity, again.identity}) == 3
    assert [change.at for change in again.changes] == [2.0, 3.0]
    assert again.recent(3.0 + RECENT - 0.5) == [again.changes[1]]


def test_changes_are_bounded() -> None:
    now = found(0.0)
    for at in range(1, KEPT_CHANGES + 5):
        now = compared(now, found(float(at), fingerprint=f"fp-{at}"))
    assert len(now.changes) == KEPT_CHANGES
    assert now.changes[-1].at == KEPT_CHANGES + 4


def test_it_is_kept_and_damaged_counts_as_absent(state_dir: StateDir) -> None:
    assert read_findings(state_dir) is None
    write_findings(state_dir, found())
    assert read_findings(state_dir) == found()
    assert found().is_of("http://h/v1", "m")
    assert not found().is_of("http://h/v1", "other")
    (state_dir.registry / FILE).write_text("[")
    assert read_findings(state_dir) is None
