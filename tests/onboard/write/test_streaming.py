"""Files of tensors, written in constant memory, whole or not at all."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from onboard.refusal import ModelRefused
from onboard.source.files import look
from onboard.source.tensors import header, places
from onboard.write.streaming import PlannedTensor, file_size, write_weights
from tests.waiting import LONG

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_written_is_what_was_read(made: Path, tmp_path: Path) -> None:
    tensors = [PlannedTensor(f"a.{name}", place, "F32") for name, place in places(look(made)).items()]
    read: list[int] = []
    hashed = write_weights(tmp_path / "out.safetensors", tensors, read.append)
    given, found = load_file(made / "model.safetensors"), load_file(tmp_path / "out.safetensors")
    assert all(torch.equal(found[f"a.{name}"], value.float()) for name, value in given.items())
    assert hashlib.sha256((tmp_path / "out.safetensors").read_bytes()).hexdigest() == hashed
    assert (tmp_path / "out.safetensors").stat().st_size == file_size(tensors)
    assert sum(read) == sum(tensor.place.size for tensor in tensors)


def test_a_refusal_leaves_no_file(tmp_path: Path) -> None:
    save_file({"w": torch.tensor([1.0, float("nan")])}, tmp_path / "bad.safetensors")
    tensors = [PlannedTensor("w", header(tmp_path / "bad.safetensors")["w"], "F32")]
    with pytest.raises(ModelRefused, match="w holds values"):
        write_weights(tmp_path / "out.safetensors", tensors, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.safetensors"]


def test_a_source_that_becomes_shorter_is_noticed(tmp_path: Path) -> None:
    save_file({"w": torch.ones(100)}, tmp_path / "short.safetensors")
    place = header(tmp_path / "short.safetensors")["w"]
    with (tmp_path / "short.safetensors").open("r+b") as file:
        file.truncate(place.start + 40)
    with pytest.raises(ModelRefused, match="became shorter"):
        write_weights(tmp_path / "out.safetensors", [PlannedTensor("w", place, "F32")], lambda _: None)


PROGRAM = """
import resource, sys
from pathlib import Path
from onboard.source.tensors import header
from onboard.write.streaming import PlannedTensor, write_weights
place = header(Path(sys.argv[1]))["w"]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_weights(Path(sys.argv[2]), [PlannedTensor("w", place, "F32")], lambda n: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_tensor(tmp_path: Path) -> None:
    """96 MiB of bfloat16 become 192 MiB of float32 in a process that grows by a few blocks."""
    save_file({"w": torch.ones(48 << 20, dtype=torch.bfloat16)}, tmp_path / "large.safetensors")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "large.safetensors"), str(tmp_path / "out.safetensors")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG, check=True)
    assert int(done.stdout) < 60 << 10  # KiB
    assert (tmp_path / "out.safetensors").stat().st_size > 4 * (48 << 20)
