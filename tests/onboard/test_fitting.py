"""Whether three engines fit, with figures that add up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.registry.store import Registry
from onboard.fitting import EMPTY, Fit, fit, registered, require_fit, require_memory
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from serving.engine.config import EnginesConfig
from serving.engine.sizes import ModelShape
from tests.onboard.conftest import ENGINES
from tests.onboard.stages import silent
from understudy.state import StateDir

LARGE = ModelShape(weights=8_000_000_000, stored=16_000_000_000, cached=65_536, longest=8192)
SMALL = ModelShape(weights=135_000_000, stored=270_000_000, cached=11_520, longest=8192)


def test_a_student_is_counted_twice_and_a_teacher_once() -> None:
    found = fit(SMALL, "student", EMPTY, ENGINES)
    assert found.needed == found.teacher.total + 2 * found.student.total
    assert found.student.weights == 4 * SMALL.weights
    assert fit(SMALL, "teacher", EMPTY, ENGINES).needed < found.needed


def test_too_little_memory_names_the_figure_and_what_would_fit() -> None:
    found = Fit(*(getattr(fit(LARGE, "teacher", SMALL, ENGINES), arm) for arm in ("teacher", "student")), 16 << 30)
    with pytest.raises(ModelRefused, match=r"need about \d+ MiB.*16384 MiB.*bfloat16.*--elsewhere") as refused:
        require_fit(found, "teacher", ENGINES)
    (millions,) = re.findall(r"of (\d+) million", refused.value.message)
    fits = ModelShape(int(millions) * 1_000_000, 0, LARGE.cached, 0)
    smaller = fit(fits, "teacher", SMALL, ENGINES)
    assert 0.98 * (16 << 30) < smaller.needed <= 16 << 30
    require_fit(Fit(smaller.teacher, smaller.student, 16 << 30), "teacher", ENGINES)


def test_a_cache_that_holds_no_whole_text_names_the_setting() -> None:
    config = EnginesConfig(device="cpu", kv_cache_bytes=1 << 20, max_model_len=4096)
    with pytest.raises(ModelRefused, match=r"engines\.kv_cache_bytes"):
        require_fit(fit(SMALL, "teacher", EMPTY, config), "teacher", config)


def test_what_is_registered_is_counted_in_the_other_arm(state_dir: StateDir, made: Path) -> None:
    assert registered(Registry(state_dir), "teacher") == EMPTY
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    assert registered(Registry(state_dir), "teacher").weights > 0


def test_a_fingerprint_that_does_not_fit_is_refused_before_it_is_tried(tmp_path: Path) -> None:
    require_memory(tmp_path, 1000, 10_000)
    with pytest.raises(ModelRefused, match="float32 in about"):
        require_memory(tmp_path, 1_000_000_000, 1 << 30)
