"""The contract of the data plane, as a client sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import openai
import pytest

from ab.experiment import Experiment
from serving.gateway.config import ApiKey
from serving.gateway.keys import key_hmac
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]


def both(engine: Make) -> dict[str, Engine]:
    return {"teacher": engine("teacher"), "student": engine("student")}


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
        ("/v1/chat/completions", b'{"messages":[]}', 400, "invalid_request"),
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


def test_the_engines_own_refusal_passes_unchanged(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    refusal = b'{"error": {"message": "too long", "type": "BadRequestError", "param": null, "code": 400}}'
    engines["teacher"].script = says(response(refusal, "400 Bad Request"))
    running = serve(document(engines))
    status, _, raw = running.client.send(
        "POST", "/v1/chat/completions", b'{"model":"auto","messages":[{"role":"user","content":"x"}]}'
    )
    assert (status, raw) == (400, refusal)
    assert running.spool.exchanges[0].finish_reason == "refused"


@pytest.mark.parametrize(
    "said",
    ["This model's maximum context length is 2048 tokens. However, you requested 1 output tokens",
     "The decoder prompt (length 9) is longer than the maximum model length of 8."],
)  # fmt: skip
def test_a_prompt_that_is_too_long_gets_the_code_that_clients_look_for(serve: Serve, engine: Make, said: str) -> None:
    engines = both(engine)
    error = {"message": said, "type": "BadRequestError", "param": "input_text", "code": 400}
    engines["teacher"].script = says(response(json.dumps({"error": error}).encode(), "400 Bad Request"))
    running = serve(document(engines))
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key="any", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="teacher", messages=[{"role": "user", "content": "x"}])
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.body == {**error, "code": "context_length_exceeded"}
    eventually(lambda: running.spool.raw)
    assert running.spool.exchanges[0].finish_reason == "refused"


def test_keys_are_asked_for_once_some_are_configured(serve: Serve, engine: Make) -> None:
    keys = (ApiKey(hmac=key_hmac("s3cret", "sk-1"), tenant="shop"),)
    running = serve(document(both(engine)), key_secret="s3cret", api_keys=keys)
    assert running.client.chat()[0] == 401
    assert running.client.chat(headers={"authorization": "Bearer sk-2"})[0] == 401
    assert running.client.send("GET", "/v1/models")[0] == 401
    assert running.client.chat(headers={"authorization": "Bearer sk-1"})[0] == 200
    assert running.spool.raw[-1].ask.tenant == "shop"


def test_ready_says_whether_an_arm_can_serve(serve: Serve, engine: Make) -> None:
    running = serve()
    assert running.client.send("GET", "/health")[0] == 200
    assert running.client.send("GET", "/ready")[0] == 503
    status, headers, body = running.client.chat()
    assert (status, headers["retry-after"], body["error"]["code"]) == (503, "1", "no_arm_ready")
    running.snapshot.offer(document(both(engine)))
    assert running.client.send("GET", "/ready")[0] == 200
    assert running.client.chat()[0] == 200


def test_metrics_count_requests_exposures_and_first_bytes(serve: Serve, engine: Make) -> None:
    experiment = Experiment(id="e", arms={"teacher": 1.0})
    running = serve(document(both(engine), experiments=(experiment,)))
    for _ in range(3):
        running.client.chat(headers={"x-understudy-user": "one"})
    text = running.client.send("GET", "/metrics")[2].decode()
    assert 'understudy_requests_total{arm="teacher",version="t1",status="200"} 3' in text
    assert 'understudy_exposures_total{experiment="e",arm="teacher"} 1' in text
    assert 'understudy_time_to_first_byte_seconds_count{arm="teacher"} 3' in text
    assert "understudy_gateway_in_flight 0" in text
    assert "understudy_gateway_epoch 1" in text


def test_feedback_is_taken_once_it_is_stored(serve: Serve) -> None:
    running = serve()
    send = running.client.send
    good = b'{"response_id":"chatcmpl-1","kpi":"click","value":true,"id":"retry-me"}'
    assert send("POST", "/v1/feedback", good)[0] == 202
    assert send("POST", "/v1/feedback", good)[0] == 202
    assert send("POST", "/v1/feedback", b'{"session_id":"s","kpi":"rating","value":4.5}')[0] == 202
    first, second, third = running.spool.events
    assert first.id == second.id
    assert (first.target, first.kpi, first.value) == ("chatcmpl-1", "click", 1.0)
    assert (third.target, third.session) == ("session:s", "s")
    for bad in (
        b'{"kpi":"click","value":1}',
        b'{"response_id":"r","kpi":"nope","value":1}',
        b'{"response_id":"r","kpi":"click","value":"x"}',
        b'{"response_id":"r","session_id":"s"}',
    ):
        assert send("POST", "/v1/feedback", bad)[0] == 422
    assert send("POST", "/v1/feedback", b"not json")[0] == 400
    running.spool.full = True
    assert send("POST", "/v1/feedback", good)[0] == 503
    assert len(running.spool.events) == 3


DAY = 86_400.0


@pytest.mark.parametrize(
    ("kpi", "right", "wrong"),
    [
        ("click", ["0", "1", "true", "false", "1.0"], ["0.5", "2", "-1", "-1e12", "null", '"1"']),
        ("takeover", ["1"], ["1e12", "1" * 400, "[1]"]),
        ("rating", ["0", "10", "4.5"], ["400", "-0.1", "-1e12"]),
        ("basket", ["-1e12", "1e12", "17.5"], ["1e13", "-1.1e12", "1" * 400, "1e999"]),
    ],
)
def test_a_kpis_value_is_within_its_range(serve: Serve, kpi: str, right: list[str], wrong: list[str]) -> None:
    running = serve()
    for value in right + wrong:
        body = f'{{"response_id": "r", "kpi": "{kpi}", "value": {value}}}'.encode()
        status, _, raw = running.client.send("POST", "/v1/feedback", body)
        if value in right:
            assert status == 202, value
        else:
            assert status in (400, 422), value
            assert json.loads(raw)["error"]["type"] == "invalid_request_error"
    assert len(running.spool.events) == len(right)


def test_feedback_is_neither_older_than_what_is_joined_nor_of_the_future(serve: Serve) -> None:
    running, now = serve(), time.time()
    for at, expected in ((now, 202), (now - 29 * DAY, 202), (now + 3000, 202), (now - 31 * DAY, 422),
                         (now + 5000, 422), (-1e300, 422), (int("1" * 400), 422)):  # fmt: skip
        body = json.dumps({"response_id": "r", "kpi": "click", "value": 1, "timestamp": at}).encode()
        status, _, raw = running.client.send("POST", "/v1/feedback", body)
        assert status == expected, at
        if expected == 422:
            assert json.loads(raw)["error"]["param"] == "timestamp"


def test_a_fault_of_the_gateway_is_an_error_object(serve: Serve) -> None:
    running = serve()
    running.spool.put_durable = None  # type: ignore[method-assign, assignment]
    body = b'{"response_id":"r","kpi":"click","value":1}'
    status, headers, raw = running.client.send("POST", "/v1/feedback", body)
    assert (status, headers["content-type"]) == (500, "application/json")
    assert "its log says why" in json.loads(raw)["error"]["message"]
