"""Packed rows: a function of their step alone, of what the model may see."""

import torch

from demo.training.rows import ROW, Mix, Pieces, batch

PURE = Mix(seed=3, roles=frozenset({"both"}), rows=2, drift=0.1, real=0.0)


def test_a_batch_depends_on_its_step_alone_and_grades_replies(words) -> None:
    pieces = Pieces(words, PURE)
    batch(pieces, 4)
    first, again = batch(pieces, 5), batch(Pieces(words, PURE), 5)
    assert torch.equal(first.ids, again.ids)
    assert torch.equal(first.at, again.at)
    assert first.ids.shape == (2, ROW)
    flat, documents = first.ids.flatten(), first.documents.flatten()
    assert torch.equal(flat[first.at + 1], first.target)
    assert torch.equal(documents[first.at], documents[first.at + 1])
    assert (documents >= 0).float().mean() > 0.8


def test_the_student_never_meets_the_drift_family(words) -> None:
    pieces = Pieces(words, Mix(seed=3, roles=frozenset({"both"}), rows=8, real=0.0))
    text = "".join(words.decode(batch(pieces, step).ids.flatten()) for step in range(40))
    assert "points" in text
    assert "GC-41" not in text
    assert "T-7" not in text
