"""An API is asked what it gives, and what it answers to fixed prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from deploy.engines.external import ExternalEngine
from deploy.engines.findings import TeacherFindings
from deploy.engines.probing import PROMPTS, ask_teacher
from tests.onboard.models import tiny
from trials.api import Gives, PlayedApi, played
from understudy.errors import Unavailable

KEY = "sk-of-the-probes"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedApi]:
    with played(tiny(tmp_path_factory.mktemp("api") / "one", layers=2), KEY) as made:
        yield made


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBED_KEY", KEY)


def asked(api: PlayedApi, before: TeacherFindings | None = None, at: float = 5.0) -> tuple[TeacherFindings, list[int]]:
    spent: list[int] = []
    engine = ExternalEngine(url=api.url, model="big", api_key_env="PROBED_KEY")
    return ask_teacher(engine, before, spent.append, lambda: at), spent


@pytest.mark.parametrize(
    ("gives", "prefill", "replies", "said"),
    [("text", 0, 0, "text"), ("replies", 0, 20, "20 log-probabilities at each token of its replies"),
     ("prefill", 20, 20, "20 log-probabilities at each token of any text")],
)  # fmt: skip
def test_what_it_gives_is_found_out(api: PlayedApi, gives: Gives, prefill: int, replies: int, said: str) -> None:
    api.gives = gives
    found, spent = asked(api)
    assert (found.prefill, found.replies, found.asked) == (prefill, replies, 5.0)
    assert said in found.gives
    assert (found.served, found.fingerprint) == ("big-1", "fp-1")
    assert [answer.prompt for answer in found.answers] == list(PROMPTS)
    assert all(answer.steady and answer.text for answer in found.answers)
    assert all((answer.tokens is None) is (replies == 0) for answer in found.answers)
    assert [len(ids) > 0 for ids in found.ids] == ([True] * len(PROMPTS) if prefill else [])
    assert len(spent) >= 2 * len(PROMPTS)
    assert min(spent) > 0
    assert KEY not in found.model_dump_json()
    assert ("400" in found.prefill_why) is (prefill == 0)
    assert bool(found.replies_why) is (replies == 0)


def test_the_same_model_is_asked_once_more_and_another_one_is_noticed(api: PlayedApi, tmp_path: Path) -> None:
    api.gives = "text"
    first, spent = asked(api)
    same, fewer = asked(api, first, 6.0)
    assert same.changes == ()
    assert len(fewer) < len(spent)
    folder = tiny(tmp_path / "other", seed=5, layers=2)
    api.load(folder)
    other, _ = asked(api, same, 7.0)
    (change,) = other.changes
    assert change.replaced
    assert "probes are answered otherwise" in change.what[0]
    assert (other.since, other.identity != same.identity) == (7.0, True)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_one_that_is_away_is_not_taken_for_one_that_gives_less(api: PlayedApi, status: int) -> None:
    api.gives = "prefill"
    api.failures = [JSONResponse({"error": {"message": "busy"}}, status)]
    with pytest.raises(Unavailable, match=str(status)):
        asked(api)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_one_that_lets_nothing_but_chat_through_gives_what_chat_tells(
    api: PlayedApi, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    api.gives = "prefill"
    monkeypatch.setattr(api, "shut", status)
    found, _ = asked(api)
    assert (found.prefill, found.ids, found.replies, found.asked) == (0, (), 20, 5.0)
    assert found.prefill_why.endswith(f"with {status}: this route is not let through")
    monkeypatch.setattr(api, "shut", 0)
    opened, _ = asked(api, found, 6.0)
    assert (opened.prefill, opened.prefill_why) == (20, "")


def test_an_account_that_is_away_is_not_taken_for_an_api_that_gives_less(api: PlayedApi) -> None:
    api.gives = "prefill"
    told: list[int] = []

    def spend(tokens: int) -> None:
        told.append(tokens)
        if len(told) > 2 * len(PROMPTS) + 1:  # chat is paid for by then
            raise Unavailable("Redis is away")

    engine = ExternalEngine(url=api.url, model="big", api_key_env="PROBED_KEY")
    with pytest.raises(Unavailable, match="Redis is away"):
        ask_teacher(engine, None, spend)


def test_a_wrong_key_is_an_error_that_does_not_tell_it(api: PlayedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBED_KEY", "sk-a-wrong-one")
    with pytest.raises(Unavailable, match="401") as refused:
        asked(api)
    assert "sk-a-wrong-one" not in str(refused.value)
