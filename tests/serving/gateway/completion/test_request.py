"""The contract of the data plane, as a client sees it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable

import openai
import pytest

from ab.experiment import Experiment
from ab.running.phases import Phase
from deploy.engines.external import ExternalEngine
from deploy.engines.splitting.tokens import MAX_STARTS
from deploy.routing.document import RoutingDocument, SlotView
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]


def test_an_openai_client_talks_to_either_arm(serve: Serve, engine: Make) -> None:
    running = serve(document(both(engine)))
    with openai.OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key="any") as client:
        for model in ("teacher", "student", "student:v1"):
            reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "你好"}])
            assert reply.choices[0].message.content == f"你好, I am {model.split(':')[0]}"
        stream = client.chat.completions.create(
            model="student", messages=[{"role": "user", "content": "讲个故事"}], stream=True
        )
        assert "".join(part.choices[0].delta.content or "" for part in stream) == "你好, I am student"
        completion = client.completions.create(model="teacher", prompt="从前")
        assert completion.choices[0].text == "你好, I am teacher"
        assert {m.id for m in client.models.list()} == {"auto", "teacher", "student", "student:v1"}


def test_up_to_a_million_places_at_which_a_control_token_could_begin_are_served_and_more_are_413(
    gateway: Running, teacher: Engine
) -> None:
    status, _, body = gateway.client.chat("<" * (MAX_STARTS + 1))
    assert (status, body["error"]["code"]) == (413, "request_too_large")
    assert body["error"]["message"] == "the body has more than 1000000 places at which a control token could begin"
    assert not teacher.seen
    assert gateway.client.chat(below := "<" * (MAX_STARTS - 100) + " " * 1000)[0] == 200
    assert teacher.seen[0].json["messages"][0]["content"] == below


def test_headers_tell_arm_version_and_experiment(serve: Serve, engine: Make) -> None:
    experiment = Experiment(id="half", arms={"teacher": 0.0, "student": 1.0})
    running = serve(document(both(engine), experiments=(experiment,)))
    status, headers, _ = running.client.chat(headers={"x-understudy-user": "u", "x-request-id": "mine"})
    assert status == 200
    assert headers["x-understudy-arm"] == "student"
    assert headers["x-understudy-version"] == "v1"
    assert headers["x-understudy-experiment"] == "half"
    assert headers["x-request-id"] == "mine"
    _, headers, _ = running.client.chat(model="teacher")
    assert "x-understudy-experiment" not in headers


HALF = Experiment.model_validate({"id": "half", "arms": {"teacher": 0, "student": 1}})
SEEN = Experiment.model_validate({"id": "seen", "layer": "observe", "arms": {"left": 1, "right": 0}})


def test_all_experiments_that_hold_are_named_and_each_is_told_once_for_a_unit_and_phase(
    serve: Serve, engine: Make
) -> None:
    engines = both(engine)
    phase = Phase(number=3, arms={"teacher": (), "student": ((0.0, 1.0),)})
    running = serve(document(engines, experiments=(SEEN, HALF), phases={"half": phase}, epoch=7))
    for user in ("ada", "ada", "bob"):
        _, headers, _ = running.client.chat(headers={"x-understudy-user": user})
        assert headers["x-understudy-experiment"] == "half,seen"
    told = [(one.unit, one.experiment, one.phase, one.arm, one.epoch, one.fell_back) for one in running.spool.exposures]
    half, seen = ("half", 3, "student", 7, False), ("seen", 0, "left", 7, False)
    assert told == [(user, *one) for user in ("ada", "bob") for one in (half, seen)]
    phases = [(one.experiment, one.phase, one.arm) for one in running.spool.exchanges[0].experiments]
    assert phases == [("half", 3, "student"), ("seen", 0, "left")]
    later = Phase(number=4, arms={"teacher": ((0.0, 1.0),), "student": ()})
    running.snapshot.offer(document(engines, experiments=(SEEN, HALF), phases={"half": later}, epoch=8))
    running.client.chat(headers={"x-understudy-user": "ada"})
    assert [(one.phase, one.arm, one.epoch) for one in running.spool.exposures[4:]] == [(4, "teacher", 8)]


def test_an_exposure_does_not_hang_on_the_copy_of_its_exchange(serve: Serve, engine: Make) -> None:
    running = serve(document(both(engine), experiments=(HALF,), capture_rate=0.0))
    running.client.chat(headers={"x-understudy-user": "ada"})
    assert (len(running.spool.exposures), len(running.spool.raw)) == (1, 0)


def test_testers_derived_users_and_requests_without_a_record_are_exposed_to_nothing(serve: Serve, engine: Make) -> None:
    phase = Phase(number=1, arms={"teacher": (), "student": ((0.0, 1.0),)}, force={"tester": "teacher"})
    running = serve(document(both(engine), experiments=(HALF,), phases={"half": phase}))
    opted_out = {"x-understudy-user": "ada", "x-understudy-no-capture": "1"}
    for headers in (opted_out, {"x-understudy-user": "tester"}, {"x-understudy-session": "alone"}):
        _, answered, _ = running.client.chat(headers=headers)
        assert answered["x-understudy-experiment"] == "half"
        assert answered["x-understudy-arm"] == ("teacher" if "tester" in headers.values() else "student")
    assert running.spool.exposures == []
    assert [one.experiments for one in running.spool.exchanges] == [(), ()]


def test_that_another_version_stood_in_is_told_once_with_the_arm_assigned(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher"), engine("student")
    student.stop()
    running = serve(document({"teacher": teacher, "student": student}, experiments=(HALF,)))
    for _ in range(3):
        _, headers, _ = running.client.chat(headers={"x-understudy-user": "ada"})
        assert headers["x-understudy-arm"] == "teacher"
    assert {one.arm for one in running.spool.exposures} == {"student"}
    assert [one.fell_back for one in running.spool.exposures].count(True) == 1


def test_an_exposure_that_finds_no_room_is_told_by_the_unit_s_next_request(serve: Serve, engine: Make) -> None:
    running = serve(document(both(engine), experiments=(HALF,)))
    running.spool.full = True
    running.client.chat(headers={"x-understudy-user": "ada"})
    running.spool.full = False
    refused = len(running.spool.exposures)
    running.client.chat(headers={"x-understudy-user": "ada"})
    running.client.chat(headers={"x-understudy-user": "ada"})
    assert refused == running.gateway.metrics.events["exposure_dropped"] > 0
    assert len(running.spool.exposures) == refused + 1


def test_no_exposure_is_lost_while_an_experiment_is_applied_changed_and_stopped_under_traffic(
    serve: Serve, engine: Make
) -> None:
    engines = both(engine)
    arms = {n: {"teacher": ((0.0, n / 10),), "student": ((n / 10, 1.0),)} for n in range(1, 6)}
    file = Experiment.model_validate({"id": "e", "arms": {"teacher": 0.5, "student": 0.5}})
    running = serve(document(engines))
    stop, failed = threading.Event(), []

    def traffic(worker: int) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            status, _, _ = running.client.chat(headers={"x-understudy-user": f"u{worker}-{n % 23}"})
            failed.extend([status] if status != 200 else [])

    workers = [threading.Thread(target=traffic, args=(n,)) for n in range(3)]
    for one in workers:
        one.start()
    for epoch in range(2, 12):
        held = {} if epoch % 4 == 1 else {
            "experiments": (file,), "phases": {"e": Phase(number=epoch, arms=arms[epoch % 5 + 1])},
        }  # fmt: skip
        before = len(running.spool.raw)
        running.snapshot.offer(document(engines, epoch=epoch, **held))
        eventually(lambda: len(running.spool.raw) > before + 30, what="requests of this epoch")  # noqa: B023
    stop.set()
    for one in workers:
        one.join()
    told = [(one.unit, one.phase, one.arm) for one in running.spool.exposures]
    met = {(one.unit, part.phase, part.arm) for one in running.spool.exchanges for part in one.experiments}
    assert failed == []
    assert len({phase for _, phase, _ in met}) == 8
    assert set(told) == met
    assert len(told) == len({(unit, phase) for unit, phase, _ in told})


def test_the_engine_gets_our_id_and_key_but_never_the_clients(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    running = serve(document(engines))
    running.snapshot.engine_key = "engine-key"
    sent = {
        "authorization": "Bearer client", "cookie": "a=b", "x-request-id": "guessable", "x-understudy-user": "u",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-other": "passes",
    }  # fmt: skip
    _, _, first = running.client.chat(model="teacher", headers=sent)
    _, _, second = running.client.chat(model="teacher", headers=sent)
    got = engines["teacher"].seen[0].headers
    assert got["authorization"] == "Bearer engine-key"
    assert got["x-understudy-version"] == "t1"
    assert got["traceparent"] == sent["traceparent"]
    assert got["x-other"] == "passes"
    assert got["content-type"] == "application/json"
    assert "cookie" not in got
    assert "x-understudy-user" not in got
    assert got["x-request-id"] != "guessable"
    assert first["id"] == f"chatcmpl-{got['x-request-id']}"
    assert first["id"] != second["id"]


def test_only_the_models_value_changes_in_the_body(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    running = serve(document(engines))
    raw = (
        b'{ "messages" : [ {"role":"user", "content":"\\u4f60\\u597d  \\"model\\":  1.50"} ],\n'
        b'  "model":"student" , "metadata": {"model":"deep"}, "tools":[{"type":"function"}],"n":1.0e0,"x":[ ] }'
    )
    status, _, _ = running.client.send("POST", "/v1/chat/completions", raw)
    assert status == 200
    assert engines["student"].seen[0].body == raw
    raw = raw.replace(b'"model":"student"', b'"model":"teacher:alias"')
    running.snapshot.offer(document(engines, epoch=2, aliases={"teacher:alias": "teacher"}))
    running.client.send("POST", "/v1/chat/completions", raw)
    assert engines["teacher"].seen[0].body == raw.replace(b'"teacher:alias"', b'"teacher"')


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/chat/completions", b"{", 400, "invalid_request"),
        ("/v1/chat/completions", b'{"messages":[]}', 400, "missing_required_parameter"),
        ("/v1/chat/completions", b'{"model":"teacher"}', 400, "missing_required_parameter"),
        ("/v1/chat/completions", b'{"model":"gpt-9"}', 404, "model_not_found"),
        ("/v1/chat/completions", b'{"model":"student:v9"}', 404, "model_not_found"),
        ("/v1/chat/completions", b'{"model":"gpt-9","messages":[]}', 404, "model_not_found"),
        ("/v1/chat/completions", b'{"model":"student:v9","messages":[]}', 404, "model_not_found"),
        ("/v1/completions", b'{"model":7}', 400, "invalid_request"),
        ("/v1/embeddings", b'{"model":"e","input":"x"}', 404, "no_embeddings"),
        ("/v1/nothing", b"{}", 404, "unknown_url"),
    ],
)
def test_errors_are_openai_error_objects(
    serve: Serve, engine: Make, path: str, body: bytes, status: int, code: str
) -> None:
    running = serve(document(both(engine)))
    got, headers, raw = running.client.send("POST", path, body)
    error = json.loads(raw)["error"]
    assert got == status
    assert headers["content-type"].startswith("application/json")
    assert error["code"] == code
    assert set(error) == {"message", "type", "param", "code"}


def test_a_body_without_a_model_is_told_to_name_one(serve: Serve) -> None:
    status, _, raw = serve().client.send("POST", "/v1/chat/completions", b'{"messages":[]}')
    error = json.loads(raw)["error"]
    assert (status, error["param"]) == (400, "model")
    assert error["message"].startswith("you must provide a model")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/feedback", "/v1/embeddings"])
def test_a_body_in_a_content_coding_is_refused_as_one(serve: Serve, engine: Make, path: str) -> None:
    running = serve(document(both(engine)), embeddings=ExternalEngine(url="http://127.0.0.1:9", model="e"))
    raw = json.dumps({"model": "teacher", "messages": []}).encode()
    status, _, reply = running.client.send("POST", path, gzip.compress(raw), {"content-encoding": "gzip"})
    assert (status, json.loads(reply)["error"]["code"]) == (415, "unsupported_content_encoding")
    status, _, _ = running.client.send("POST", "/v1/chat/completions", raw, {"content-encoding": "Identity"})
    assert status == 200


def test_a_query_passes_to_the_engine(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    running = serve(document(engines))
    raw = b'{"model":"student","messages":[]}'
    assert running.client.send("POST", "/v1/chat/completions?api-version=2024%2D10&x=", raw)[0] == 200
    assert engines["student"].seen[0].path == "/v1/chat/completions?api-version=2024%2D10&x="


def test_a_query_of_the_engines_own_address_goes_before_the_clients(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    slot = SlotView(desired="t1", url=f"{teacher.url}/openai?api-version=1", model="m", version="t1", ready=True)
    running = serve(RoutingDocument(epoch=1, slots={"teacher": slot}, teacher="t1"))
    raw = b'{"model":"teacher","messages":[]}'
    for query in ("", "?x=2"):
        assert running.client.send("POST", f"/v1/chat/completions{query}", raw)[0] == 200
    assert [seen.path for seen in teacher.seen] == [
        "/openai/chat/completions?api-version=1", "/openai/chat/completions?api-version=1&x=2",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("priority", -1000), ("priority", 10), ("n", 129)])
def test_what_would_take_from_others_is_refused_by_name(serve: Serve, engine: Make, name: str, value: int) -> None:
    engines = both(engine)
    running = serve(document(engines))
    raw = b'{"model":"student", "priority" : 9,"messages":[],"n":2}'
    assert running.client.send("POST", "/v1/chat/completions", raw)[0] == 200
    assert engines["student"].seen[0].body == raw
    body = json.dumps({"model": "student", "messages": [], name: value}).encode()
    status, _, reply = running.client.send("POST", "/v1/chat/completions", body)
    assert (status, json.loads(reply)["error"]["param"]) == (400, name)


def test_fifty_streams_at_once_keep_their_texts_apart(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher", delay=0.01), engine("student", delay=0.01)
    running = serve(document({"teacher": teacher, "student": student}, default={"teacher": 0.5, "student": 0.5}))
    wrong: list[str] = []

    def ask(number: int) -> None:
        _, headers, raw = running.client.chat(stream=True, headers={"x-understudy-user": f"u{number}"})
        if f'{headers["x-understudy-arm"]}"'.encode() not in raw or not raw.endswith(b"data: [DONE]\n\n"):
            wrong.append(f"{number}: {headers} {raw!r}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert running.gateway.metrics.in_flight == 0
    assert len(running.spool.raw) == 50
