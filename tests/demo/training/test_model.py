"""An export is the same bytes for the same seed."""

from pathlib import Path

from demo.training.model import build, export
from demo.training.tokenizer import train
from demo.world import stream


def test_tokenizer_training_and_export_are_reproducible(tmp_path: Path) -> None:
    texts = [drawn.reply for drawn in stream(1, "train", "general", 300)]
    first, second = train(iter(texts)), train(iter(texts))
    assert first.get_vocab() == second.get_vocab()
    export(build("student", first, 1), first, tmp_path / "one")
    export(build("student", first, 1), first, tmp_path / "two")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
