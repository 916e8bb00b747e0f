"""The settings of engines."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from deploy.routing.document import SLOTS
from serving.engine.config import EnginesConfig, cores_of, served_model


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
