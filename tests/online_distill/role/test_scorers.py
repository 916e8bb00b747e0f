"""Who is asked for targets, and what is refused before anybody is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.routing.document import EXTERNAL, SlotView
from online_distill.role.context import Context
from online_distill.role.scorers import make_scorer
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.scorer import EngineScorer
from tests.online_distill.world import quick_config
from understudy.errors import ConfigError, IntegrityError


def no_slot() -> SlotView | None:
    return None


@pytest.mark.parametrize(("name", "kind"), [("local", LocalScorer), ("engine", EngineScorer)])
def test_the_configured_scorer_is_made(context: Context, name: str, kind: type) -> None:
    scorer = make_scorer(context.round, context.registry, quick_config(scorer=name), no_slot, None)
    assert isinstance(scorer, kind)
    scorer.close()


def test_another_tokenizer_is_refused_and_an_external_teachers_is_not_known(context: Context) -> None:
    (context.registry.path("t1") / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        make_scorer(context.round, context.registry, quick_config(), no_slot, None)
    external = replace(context.round, teacher=EXTERNAL)
    make_scorer(external, context.registry, quick_config(), no_slot, None).close()


def test_a_local_teacher_with_a_changed_file_is_not_loaded(context: Context) -> None:
    with (context.registry.path("t1") / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(IntegrityError):
        make_scorer(context.round, context.registry, quick_config(scorer="local"), no_slot, None)
