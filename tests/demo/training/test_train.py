"""The training path: packing, the lean network, checkpoints that survive a kill."""

from pathlib import Path

import pytest
import torch

from demo.training import corpus
from demo.training.learner import DemoLearner, rate_factor
from demo.training.model import build, export
from demo.training.net import Net, document_mask, rotary
from demo.training.rows import ROW, Mix, Pieces, batch
from demo.training.tokenizer import load, train
from demo.training.train import TrainingFailed, publish
from demo.world import stream

PURE = Mix(seed=3, roles=frozenset({"both"}), rows=2, drift=0.1, real=0.0)


@pytest.fixture(scope="module")
def words():
    return load(corpus.ROOT / "demo" / "models" / "teacher")


def test_the_lean_network_equals_transformers_on_packed_documents(words) -> None:
    reference = build("student", words, 3).eval()
    net = Net(reference.config)
    net.load_state_dict(reference.state_dict())
    ids, documents = torch.randint(0, 4096, (2, 40)), torch.zeros(2, 40, dtype=torch.long)
    documents[:, 17:] = 1
    with torch.no_grad():
        packed = net.logits(net.model(ids, document_mask(documents), *rotary(40)))
        apart = torch.cat((reference(ids[:, :17]).logits, reference(ids[:, 17:]).logits), dim=1)
    torch.testing.assert_close(packed, apart, atol=1e-4, rtol=1e-4)


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


def test_the_rate_warms_up_stays_and_ends_at_nothing() -> None:
    factors = [rate_factor(step, 1000) for step in range(1000)]
    assert factors[0] < 0.05
    assert factors[300] == 1.0
    assert factors[-1] < 0.01
    assert factors[600:] == sorted(factors[600:], reverse=True)


def test_a_run_continues_from_its_checkpoint_with_the_same_losses(words, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    whole = DemoLearner("student", words, 1e-3, PURE, tmp_path / "a.pt")
    losses = [whole.advance(10)[0] for _ in range(4)]
    assert whole.step == 4
    part = DemoLearner("student", words, 1e-3, PURE, tmp_path / "b.pt")
    for _ in range(2):
        part.advance(10)
    part.save()
    resumed = DemoLearner("student", words, 1e-3, PURE, tmp_path / "b.pt")
    assert resumed.step == 2
    assert [resumed.advance(10)[0] for _ in range(2)] == pytest.approx(losses[2:], abs=1e-3)


def test_tokenizer_training_and_export_are_reproducible(tmp_path: Path) -> None:
    texts = [drawn.reply for drawn in stream(1, "train", "general", 300)]
    first, second = train(iter(texts)), train(iter(texts))
    assert first.get_vocab() == second.get_vocab()
    export(build("student", first, 1), first, tmp_path / "one")
    export(build("student", first, 1), first, tmp_path / "two")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_nothing_is_published_when_the_student_never_became_good(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="75%"):
        publish(tmp_path / "work", tmp_path / "out")
    assert not (tmp_path / "out").exists()
