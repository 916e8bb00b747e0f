"""Counters, what of versions is told apart, and the text of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from ab.experiment import Experiment
from deploy.routing.document import RoutingDocument
from serving.crew.figures import Replaced
from serving.gateway.guarding.watch import GuardWatch
from serving.gateway.metrics import MOST_TENANTS, Metrics, VersionFigures
from serving.gateway.observing.opening import observed
from serving.guard.config import GuardConfig
from tests.packaging.scraping import promtool_says, without
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, Seen, chunk, event
from tests.serving.guard.words import ATTACK, DOUBTFUL, HARMLESS, WordModel
from understudy.config import Config
from understudy.state import StateDir
from understudy.telemetry.board import Board
from understudy.telemetry.together import JoinedPage

Serve = Callable[..., Running]
Make = Callable[..., Engine]
Page = dict[tuple[str, ...], float]


def page(running: Running) -> Page:
    """Every sample by its name and the values of its labels in order of their names."""
    text = running.client.send("GET", "/metrics")[2].decode()
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


def test_metrics_count_requests_exposures_and_first_bytes(serve: Serve, engine: Make) -> None:
    experiment = Experiment(id="e", arms={"teacher": 1.0})
    running = serve(document(both(engine), experiments=(experiment,)))
    for _ in range(3):
        running.client.chat(headers={"x-understudy-user": "one"})
    found = page(running)
    assert found["understudy_requests_total", "teacher", "200", "t1"] == 3
    assert found["understudy_exposures_total", "teacher", "e"] == 1
    assert found["understudy_time_to_first_byte_seconds_count", "teacher", "t1"] == 3
    assert found["understudy_request_seconds_count", "teacher", "t1"] == 3
    assert found["understudy_time_to_first_byte_seconds_sum", "teacher", "t1"] > 0
    assert found["understudy_requests_in_flight",] == 0
    assert found["understudy_routing_epoch",] == 1
    assert found["understudy_arm_ready", "teacher"] == found["understudy_arm_ready", "student"] == 1
    assert found["understudy_outbox_dropped_total", "spool"] == 2
    assert found["understudy_unread_metrics",] == 0


def test_every_metric_of_the_table_is_on_the_page_and_promtool_has_nothing_to_say(
    serve: Serve, engine: Make, state_dir: StateDir
) -> None:
    watch = GuardWatch(GuardConfig(mode="enforce", deadline_ms=10_000), WordModel())
    running = serve(document(both(engine)), guard=watch)
    metrics, board = running.gateway.metrics, Board(2)
    Replaced(board, 1).count("hung")
    with observed(running.gateway, Config({}), state_dir, "gateway-1"):
        metrics.joined = JoinedPage(metrics.page, board, 0)
        for number, text in enumerate((HARMLESS, DOUBTFUL, ATTACK)):
            running.client.chat(text, user=str(number), stream=number == 1)
        shown = running.client.send("GET", "/metrics")[2].decode()
    assert without(shown, "Every role", "Gateway", "Gateway and worker: the way to the bus") == set()
    assert 'understudy_guard_verdicts_total{mode="enforce",stage="model",verdict="degrade"} 1.0' in shown
    assert 'understudy_guard_stage_calls_total{stage="model"}' in shown
    assert "understudy_unread_metrics 0.0" in shown
    assert promtool_says(shown) == ""


def test_tokens_are_those_that_the_engine_tells(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    running = serve(document(engines))
    running.client.chat(model="teacher", content='"completion_tokens": 999')
    found = page(running)
    assert found["understudy_tokens_total", "teacher", "completion", "t1"] > 0
    assert found["understudy_tokens_total", "teacher", "completion", "t1"] < 999
    assert found["understudy_replies_without_usage_total", "teacher", "t1"] == 0


def test_gaps_are_those_within_a_stream_and_a_stream_without_usage_is_counted(serve: Serve, engine: Make) -> None:
    engines = both(engine)

    async def slowly(seen: Seen, writer: object) -> None:
        writer.write(SSE_HEAD)  # type: ignore[attr-defined]
        for word in ("a", "b", "c"):
            writer.write(chunk(event(word)))  # type: ignore[attr-defined]
            await writer.drain()  # type: ignore[attr-defined]
            await asyncio.sleep(0.2)  # so that a gateway that is kept waiting reads them one by one
        writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")  # type: ignore[attr-defined]

    engines["teacher"].script = slowly
    running = serve(document(engines))
    assert running.client.chat(model="teacher", stream=True)[0] == 200
    found = page(running)
    assert found["understudy_gap_between_tokens_seconds_count", "teacher", "t1"] >= 2
    assert found["understudy_gap_between_tokens_seconds_sum", "teacher", "t1"] > 0.03
    assert found["understudy_replies_without_usage_total", "teacher", "t1"] == 1
    assert found["understudy_time_to_first_byte_seconds_count", "teacher", "t1"] == 1


def test_versions_are_told_apart_as_long_as_they_are_live_candidate_or_one_of_three_before() -> None:
    metrics = Metrics()

    def at(stable: str, previous: tuple[str, ...], candidate: str | None = None) -> RoutingDocument:
        return RoutingDocument(teacher="t1", stable=stable, candidate=candidate, previous=previous)

    first = at("v3", ("v2", "v1", "v0"), "v4")
    for version in ("v0", "v1", "v2", "v3", "v4", "v77", "v78"):
        metrics.of("student", version, first).requests[200] += 1
    assert metrics.requests["student", "other", 200] == 2
    assert {version for _, version, _ in metrics.requests} == {"v0", "v1", "v2", "v3", "v4", "other"}
    after = at("v4", ("v3", "v2", "v1"))
    metrics.of("student", "v0", after).requests[200] += 1
    assert metrics.requests["student", "v3", 200] == 1
    assert metrics.requests["student", "v0", 200] == 0
    assert metrics.requests["student", "other", 200] == 3  # one more, and not what v0 had before: that is no jump


def test_usage_is_the_last_that_is_told() -> None:
    figures = VersionFigures()
    tail = (
        b'"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: {"usage": {"prompt_tokens": 3, "total_tokens": 8,'
    )
    assert figures.used(tail + b' "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 7}}}') == (
        3,
        5,
    )
    assert figures.tokens == {"prompt": 3, "completion": 5}
    assert figures.used(b'{"choices": [{"text": "\\"completion_tokens\\": 4"}]}') is None
    assert figures.untold == 1


def test_a_unit_is_one_exposure_of_a_phase_however_often_it_is_said(serve: Serve, engine: Make) -> None:
    """Said again since the first word found no room, and since another version stood in."""
    teacher, student = engine("teacher"), engine("student")
    experiment = Experiment(id="e", arms={"student": 1.0})
    running = serve(document({"teacher": teacher, "student": student}, experiments=(experiment,)))
    running.spool.full = True
    running.client.chat(headers={"x-understudy-user": "one"})
    running.spool.full = False
    running.client.chat(headers={"x-understudy-user": "one"})
    student.stop()
    for user in ("one", "two", "two"):
        running.client.chat(headers={"x-understudy-user": user})
    assert page(running)["understudy_exposures_total", "student", "e"] == 2


def test_flagged_and_degraded_requests_are_told_by_tenant_in_bounded_number() -> None:
    metrics, one = Metrics(), RoutingDocument(stable="v1")
    for number in range(MOST_TENANTS + 5):
        metrics.degrade(f"t{number}", "guard")
    metrics.follow(one)
    metrics.flag("t0", "student", "v1")
    metrics.flag("t0", "student", "v7")
    metrics.flag("late", "teacher", "external")
    assert metrics.degraded["t0", "guard"] == 1
    assert metrics.degraded["other", "guard"] == 5
    assert metrics.flagged == {
        ("t0", "student", "v1"): 1, ("t0", "student", "other"): 1, ("other", "teacher", "external"): 1,
    }  # fmt: skip
    assert len(metrics.guarded()) == MOST_TENANTS + 1
    assert (metrics.guarded()["t0"], metrics.guarded()["other"]) == ((2, 1), (1, 5))
    metrics.follow(RoutingDocument(epoch=2, stable="v2"))
    assert ("t0", "student", "v1") not in metrics.flagged
    assert metrics.guarded()["t0"] == (2, 1)
