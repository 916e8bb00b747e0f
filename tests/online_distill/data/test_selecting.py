"""Which samples train and which judge: never both."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from online_distill.data.config import DataConfig
from online_distill.data.rows import Row
from online_distill.data.selecting import is_held_out, lineage_digest, prompt_key, select
from tests.online_distill.world import make_samples


@given(hard=st.integers(0, 60), anchors=st.integers(0, 60), share=st.floats(0.05, 0.6))
@settings(max_examples=30, deadline=None)
def test_no_prompt_is_both_trained_on_and_held_out(hard: int, anchors: int, share: float) -> None:
    doubles = [s.model_copy(update={"id": f"d{s.id}", "exchange": f"d{s.exchange}"}) for s in make_samples(10)]
    chosen = select([*make_samples(hard), *doubles], make_samples(anchors), DataConfig(holdout_share=share))
    assert not {prompt_key(row) for row in chosen.train} & {prompt_key(row) for row in chosen.holdout}
    keys = [prompt_key(row) for row in chosen.train + chosen.holdout]
    assert len(keys) == len(set(keys))
    assert all(row.weight == (3.0 if row.role == "hard" else 1.0) for row in chosen.train)


def test_replay_and_bounds_are_kept_and_an_exchange_stays_on_its_side() -> None:
    config = DataConfig(max_hard=20, replay_ratio=0.5, holdout_share=0.3, max_holdout=5)
    chosen = select(make_samples(80), make_samples(80, start=900), config)
    roles = [row.role for row in chosen.train]
    assert (roles.count("hard"), roles.count("anchor")) == (20, 10)
    assert [row.role for row in chosen.holdout] == ["hard"] * 5 + ["anchor"] * 5
    assert all(is_held_out(row.exchange, 0.3) for row in chosen.holdout)
    assert not any(is_held_out(row.exchange, 0.3) for row in chosen.train)


def test_the_digest_names_the_set_of_rows_whatever_their_order() -> None:
    rows = [Row.of(sample, "hard") for sample in make_samples(4)]
    assert lineage_digest(rows) == lineage_digest(rows[::-1]) != lineage_digest(rows[1:])
