"""Who is asked for targets, and what is refused before anybody is."""

from __future__ import annotations

import pytest

from deploy.engines.knowledge import Knowledge
from deploy.routing.document import SlotView
from online_distill.data.encoding import Encoded
from online_distill.role.context import Context
from online_distill.role.scorers import make_scorer
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.scorer import EngineScorer
from online_distill.teacher.spoken import TextScorer
from tests.online_distill.world import quick_config
from understudy.errors import IntegrityError


def no_slot() -> SlotView | None:
    return None


@pytest.mark.parametrize(("name", "kind"), [("local", LocalScorer), ("engine", EngineScorer)])
def test_the_configured_scorer_is_made(context: Context, name: str, kind: type) -> None:
    scorer = make_scorer(context.round, context.registry, quick_config(scorer=name), no_slot, None, Knowledge())
    assert isinstance(scorer, kind)
    scorer.close()


@pytest.mark.parametrize("name", ["local", "engine"])
def test_of_a_teacher_that_gives_text_alone_nobody_is_asked(context: Context, name: str) -> None:
    text = Knowledge(level="text", why="another tokenizer")
    scorer = make_scorer(context.round, context.registry, quick_config(scorer=name), no_slot, None, text)
    assert isinstance(scorer, TextScorer)
    assert [top.ids.shape for top in scorer.score([Encoded([0, 7, 8, 9], 2)])] == [(2, 20)]


def test_a_local_teacher_with_a_changed_file_is_not_loaded(context: Context) -> None:
    with (context.registry.path("t1") / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(IntegrityError):
        make_scorer(context.round, context.registry, quick_config(scorer="local"), no_slot, None, Knowledge())
