"""What is there is not made again, what is lacking is said; the real model stands in a test of full counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import gguf as library
import pytest

from deploy.registry.store import Registry
from examples.smollm2 import fetch, install
from examples.smollm2.dialogues import SAMPLE
from serving.engine.config import EnginesConfig
from serving.up.supervise.process import PYTHON, environment
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES, made  # noqa: F401
from tests.onboard.stages import silent
from tests.waiting import LONG
from understudy.state import StateDir


@pytest.fixture
def file(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A small model in the place of the published file."""
    found = ggufs.write(made, tmp_path / fetch.FILE, library.GGMLQuantizationType.Q4_1)
    monkeypatch.setattr(fetch, "SHA256", fetch.digest_of(found))
    monkeypatch.setenv(fetch.VARIABLE, str(found))
    return found


def test_teacher_and_cut_are_registered_once_and_what_a_kill_left_is_gone_on_with(
    file: Path, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = install.cut

    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "cut", killed)
    with pytest.raises(KeyboardInterrupt):
        install.install(state_dir, 3, ENGINES, silent)
    assert install.taught(state_dir) == "t1"
    monkeypatch.setattr(install, "cut", whole)
    monkeypatch.setattr(install, "import_model", killed)
    assert install.install(state_dir, 3, ENGINES, silent) == ["t1", "v1"]
    assert install.install(state_dir, 3, ENGINES, silent) == ["t1", "v1"]
    registry = Registry(state_dir)
    assert registry.manifest("t1").note == "dequantised from Q4_1"
    assert registry.manifest("v1").unfit
    assert registry.manifest("v1").lineage["layers"] == [0, 2, 5]


def test_too_little_memory_and_a_wrong_file_of_dialogues_are_said_before_anything_starts(
    file: Path, state_dir: StateDir, tmp_path: Path
) -> None:
    (said,) = install.lacking(SAMPLE, state_dir, install.MEMORY_BYTES - 1)
    assert "memory" in said
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("{}\n")
    (said,) = install.lacking(wrong, state_dir, install.MEMORY_BYTES)
    assert "line 1" in said
    install.install(state_dir, 3, ENGINES, silent)
    assert list(install.lacking(SAMPLE, state_dir, 0)) == []


def test_it_tells_its_steps_and_nothing_else(file: Path, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = "import examples.smollm2.fetch as f, sys; f.SHA256 = sys.argv.pop(1); import examples.smollm2.install as i"
    command = [PYTHON[0], "-c", f"{steps}; sys.exit(i.main())", fetch.SHA256]
    given = [*command, "--state", str(state_dir.root), "--layers", "3"]
    done = subprocess.run(given, env=environment(), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stderr
    told = [line.partition(",")[0] for line in done.stdout.splitlines()]
    assert told[:2] == ["reading", "dequantising"]
    assert told[-1] == "teacher t1"
    assert "it/s" not in done.stderr


def test_it_is_checked_as_up_checks_it_and_takes_the_settings_of_up(state_dir: StateDir, tmp_path: Path) -> None:
    command = [*PYTHON, "examples.smollm2.install", "--check", "--state", str(state_dir.root), "--layers", "8"]
    given = [*command, "--prompts", str(tmp_path / "none.jsonl")]
    done = subprocess.run(given, env=environment(), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 1
    assert "none.jsonl" in done.stdout
    assert install.engines_of(state_dir) == EnginesConfig()
    (state_dir.run).mkdir(parents=True, exist_ok=True)
    (state_dir.run / "config.yaml").write_text("engines: {kv_cache_bytes: 1048576}")
    assert install.engines_of(state_dir).kv_cache_bytes == 1 << 20
