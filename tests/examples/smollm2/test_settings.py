"""The two configurations differ in the cut, where it lives, and how near to the teacher makes it a candidate."""

from __future__ import annotations

from typing import Any

from deploy.life.config import GateConfig
from deploy.routing.document import RouterConfig
from examples.smollm2.dialogues import HERE
from understudy.config import load_config


def of(name: str) -> dict[str, Any]:
    return {key: dict(section) for key, section in load_config(HERE / name).check().items()}


def test_the_light_cut_is_another_cut_with_a_threshold_of_its_own() -> None:
    whole, light = of("understudy.yaml"), of("light.yaml")
    changed = {
        (section, key) for section in whole for key, value in whole[section].items() if light[section][key] != value
    }
    assert changed == {
        ("up", "application_options"), ("up", "state"), ("up", "min_memory_mib"), ("gate", "fit_agreement"),
        ("gate", "fit_rows"), ("gate", "safety_prompts"), ("rollout", "steps"),
    }  # fmt: skip
    assert whole["gate"]["fit_agreement"] == GateConfig().fit_agreement
    assert (HERE / "light.yaml").read_text().count("no claim that") == 1


def test_an_unfit_student_is_asked_by_nobody() -> None:
    for name in ("understudy.yaml", "light.yaml"):
        router = load_config(HERE / name).section(RouterConfig)
        assert router.model_dump()["default"] == {"teacher": 1, "student": 0}
