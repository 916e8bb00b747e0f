"""The file that a killed run goes on from: of its own plan alone; and the weights that a run gives."""

from __future__ import annotations

from pathlib import Path

import torch

from online_distill.train.checkpoint import read_checkpoint, trained_weights, weights_digest, write_checkpoint

CPU = torch.device("cpu")


def test_a_checkpoint_is_taken_up_by_its_own_plan_alone(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    assert read_checkpoint(path, "this plan", CPU) is None
    write_checkpoint(path, "this plan", {"done": 3})
    assert not (tmp_path / "checkpoint.draft").exists()
    assert read_checkpoint(path, "another plan", CPU) is None
    assert read_checkpoint(path, "this plan", CPU) == {"plan": "this plan", "done": 3}


def test_an_average_stands_for_the_last_weights(tmp_path: Path) -> None:
    last, mean = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    for average, expected in ((None, last), ({"steps": 1, "weights": mean}, mean)):
        write_checkpoint(tmp_path / "c.pt", "p", {"learner": {"model": last, "average": average}})
        assert torch.equal(trained_weights(tmp_path / "c.pt")["w"], expected["w"])


def test_a_digest_tells_names_shapes_types_and_bits_apart() -> None:
    base = torch.ones(2, 2)
    changed = base.clone()
    changed[1, 1] = torch.nextafter(changed[1, 1], torch.tensor(2.0))
    others = [{"v": base}, {"w": base.reshape(4)}, {"w": base.bfloat16()}, {"w": changed}]
    assert len({weights_digest(one) for one in [{"w": base}, *others]}) == 5
    assert weights_digest({"w": base.T}) == weights_digest({"w": base.clone()})
