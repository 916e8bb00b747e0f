"""The copy of an exchange."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ab.experiment import Experiment, Primary, When
from deploy.routing.document import SlotView
from feedback.events import Exchange
from feedback.kpis.effects import exchange_values
from serving.gateway.record.assembling import TAKEN, assemble, parse_reply
from serving.gateway.record.raw import RawExchange
from serving.gateway.routing import Ask, Decision
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, says

Serve = Callable[..., Running]
Make = Callable[..., Engine]

DECISION = Decision("student", "v1", SlotView(desired="v1"), "student", "u", unit_derived=False)
RAW = RawExchange(
    request_id="r", chat=True, request=b'{"messages":[{"role":"user","content":"\xe4\xbd\xa0"}],"max_tokens":5}',
    ask=Ask("auto", "s", "r", "u"), decision=DECISION, epoch=3, status=200, outcome="complete", chunks=(b"{}",),
    overflow=False, streamed=False, at=1.0, ttft=0.1, seconds=0.2,
)  # fmt: skip


def test_a_stream_and_a_plain_reply_are_captured_alike(serve: Serve, engine: Make) -> None:
    experiment = Experiment(id="e", arms={"student": 1.0})
    running = serve(document({"student": engine("student")}, experiments=(experiment,)))
    headers = {"x-understudy-user": "用户", "x-understudy-session": "会话"}
    sent = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    running.client.chat("几点了？", headers=sent, max_tokens=9, temperature=0)
    running.client.chat("几点了？", headers=sent, max_tokens=9, temperature=0, stream=True)
    plain, streamed = running.spool.exchanges
    for one in (plain, streamed):
        assert one.messages == [{"role": "user", "content": "几点了？"}]
        assert one.reply == "你好, I am student"
        assert (one.user, one.unit, one.session, one.unit_derived) == ("用户", "用户", "会话", False)
        assert (one.arm, one.assigned, one.version, one.experiment) == ("student", "student", "v1", "e")
        assert (one.finish_reason, one.status, one.epoch, one.model) == ("stop", 200, 1, "auto")
        assert one.params["max_tokens"] == 9
        assert one.response_id.startswith("chatcmpl-")
        assert one.ttft is not None
        assert one.ttft <= one.seconds
        assert one.shadow
    assert (plain.prompt_tokens, plain.completion_tokens) == (3, 4)
    assert (plain.streamed, streamed.streamed) == (False, True)
    assert plain.id != streamed.id


def test_exchange_and_exposure_say_which_covariates_are_kept_of_a_unit(serve: Serve, engine: Make) -> None:
    primary = Primary(kpi="click", covariate="click_before")
    experiment = Experiment(id="e", arms={"student": 1.0}, primary=primary)
    running = serve(document({"student": engine("student")}, experiments=(experiment,)))
    running.client.chat("几点了？", headers={"x-understudy-user": "ada"})
    (exchange,), (exposure,) = running.spool.exchanges, running.spool.exposures
    assert exchange.counts_for[0].covariates == exposure.covariates == (("click", "click_before"),)


def test_an_event_says_on_which_side_of_a_canary_its_unit_is_and_what_is_slow() -> None:
    decision = replace(DECISION, rollout="v3:1:new", slow_after=0.75, fell_back=True)
    found = assemble(replace(RAW, decision=decision))
    assert (found.rollout, found.slow_after, found.fell_back) == ("v3:1:new", 0.75, True)
    assert (assemble(RAW).rollout, assemble(RAW).slow_after, assemble(RAW).fell_back) == (None, None, False)


def test_the_captured_text_is_what_the_client_sent(serve: Serve, engine: Make) -> None:
    running = serve(document({"teacher": engine("teacher")}))
    running.client.chat("<|end|> hello")
    assert running.spool.exchanges[0].messages[0]["content"] == "<|end|> hello"


def test_a_client_may_forbid_capture_and_a_rate_thins_it(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    running = serve(document({"teacher": teacher}))
    running.client.chat(headers={"x-understudy-no-capture": "1"})
    assert not running.spool.raw
    running.snapshot.offer(document({"teacher": teacher}, epoch=2, capture_rate=0.0))
    running.client.chat()
    assert not running.spool.raw
    running.snapshot.offer(document({"teacher": teacher}, epoch=3))
    running.client.chat()
    assert len(running.spool.raw) == 1


def test_a_very_long_request_is_served_and_not_captured(serve: Serve, engine: Make) -> None:
    running = serve(document({"teacher": engine("teacher")}))
    assert running.client.chat("x" * (2 << 20))[0] == 200
    assert not running.spool.raw
    assert running.gateway.metrics.events["capture_too_large"] == 1


def test_a_full_outbox_costs_a_copy_never_a_reply(serve: Serve, engine: Make) -> None:
    running = serve(document({"teacher": engine("teacher")}))
    running.spool.full = True
    assert running.client.chat()[0] == 200
    assert running.gateway.metrics.events["capture_dropped"] == 1


def test_a_long_reply_is_served_whole_and_captured_in_part(serve: Serve, engine: Make) -> None:
    running = serve(document({"teacher": engine("teacher", words=("长" * 5000,))}), capture_bytes=1000)
    status, _, body = running.client.chat()
    assert (status, len(body["choices"][0]["message"]["content"])) == (200, 5000)
    assert running.spool.raw[0].overflow
    assert not running.spool.exchanges[0].shadow


def test_every_field_of_an_exchange_comes_from_one_place() -> None:
    """What no part has under the same name is made by `assemble`, or left to the outbox."""
    made = ["id", "api", "messages", "params", "shadow", "experiments", "degraded"]
    left = ["schema_version", "redacted"]
    taken = [name for names in TAKEN.values() for name in names]
    assert sorted([*taken, *made, *left]) == sorted(Exchange.model_fields)


def test_an_exchange_says_what_its_parts_say() -> None:
    body = b'{"id":"c","choices":[{"message":{"content":"x"},"finish_reason":"length"}],"usage":{"prompt_tokens":7}}'
    one = assemble(replace(RAW, chunks=(body,)))
    assert (one.session, one.tenant, one.user, one.model) == ("s", "default", "u", "auto")
    assert (one.arm, one.assigned, one.version, one.unit, one.unit_derived) == ("student", "student", "v1", "u", False)
    assert (one.epoch, one.status, one.streamed, one.at, one.ttft, one.seconds) == (3, 200, False, 1.0, 0.1, 0.2)
    assert (one.response_id, one.reply, one.finish_reason) == ("c", "x", "length")
    assert (one.prompt_tokens, one.completion_tokens, one.params) == (7, None, {"max_tokens": 5})


def test_tokens_that_the_client_asked_for_are_captured_of_either_kind_of_reply() -> None:
    plain = b'{"choices":[{"message":{"content":"ab"},"token_ids":[5,6]}]}'
    assert assemble(replace(RAW, chunks=(plain,))).reply_tokens == (5, 6)
    parts = (
        b'data: {"choices":[{"delta":{"content":"%s"},"token_ids":[%d]}]}\n\n' % part for part in ((b"a", 5), (b"b", 6))
    )
    streamed = assemble(replace(RAW, chunks=(*parts, b"data: [DONE]\n\n"), streamed=True))
    assert (streamed.reply, streamed.reply_tokens) == ("ab", (5, 6))
    assert assemble(replace(RAW, chunks=(plain.replace(b"5,6", b'5,"6"'),))).reply_tokens is None
    assert assemble(RAW).reply_tokens is None


ERROR = b'{"error":{"message":"overloaded","type":"server_error"}}'


@pytest.mark.parametrize(
    "events",
    [
        (event("half"), b"data: " + ERROR + b"\n\n"),
        (event("half"), b"data: " + ERROR + b"\n\ndata: [DONE]\n\n"),
        (event("half", finish="stop"), b'data: {"error":"overloaded"}\n\n'),
        (event("half"), b'data: {"object":"error","message":"overloaded","code":500}\n\ndata: [DONE]\n\n'),
        (event("half"),),
        (event("half"), b"data: [DONE]\n\n"),
        (event("half"), b'data: {"choices":[{"del'),
    ],
)
def test_a_stream_that_tells_an_error_or_no_end_is_a_failure_and_its_half_text_is_never_copied(
    events: tuple[bytes, ...],
) -> None:
    found = assemble(replace(RAW, chunks=events, streamed=True))
    assert (found.reply, found.finish_reason, found.shadow, found.status) == ("half", "error", False, 200)
    assert exchange_values(found)["abnormal_termination"] == 1.0


def test_a_client_gets_an_error_within_a_stream_as_the_engine_sent_it(serve: Serve, engine: Make) -> None:
    parts = (event("half"), b"data: " + ERROR + b"\n\n", b"data: [DONE]\n\n")
    running = serve(document({"teacher": engine("teacher", script=says(SSE_HEAD, *map(chunk, parts), b"0\r\n\r\n"))}))
    assert running.client.chat(stream=True)[::2] == (200, b"".join(parts))
    assert (running.spool.exchanges[0].finish_reason, running.spool.exchanges[0].shadow) == ("error", False)


@pytest.mark.parametrize("body", [ERROR, b'{"choices":[{"mess', b"<html>", b"[]", b"{}", b'{"choices":[]}', b""])
def test_a_plain_reply_with_200_that_is_none_is_a_failure(body: bytes) -> None:
    found = assemble(replace(RAW, chunks=(body,)))
    assert (found.reply, found.finish_reason, found.shadow) == ("", "error", False)


def test_a_choice_beside_an_error_is_a_failure_and_one_beside_an_empty_error_is_none() -> None:
    reply = b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"error":%s}'
    failed, whole = (assemble(replace(RAW, chunks=(reply % said,))) for said in (b'{"message":"no"}', b"null"))
    assert (failed.finish_reason, failed.shadow) == ("error", False)
    assert (whole.finish_reason, whole.shadow) == ("stop", True)


def test_a_plain_reply_may_lack_the_word_for_its_end_and_so_may_what_is_not_kept_whole() -> None:
    plain = assemble(replace(RAW, chunks=(b'{"choices":[{"message":{"content":"x"},"finish_reason":null}]}',)))
    assert (plain.finish_reason, plain.shadow) == ("stop", True)
    cut = assemble(replace(RAW, chunks=(event("half"),), streamed=True, overflow=True))
    assert (cut.finish_reason, cut.shadow) == ("stop", False)


def test_how_an_exchange_ended_is_told() -> None:
    assert assemble(replace(RAW, chunks=(b'{"choices":[{"message":{"content":"x"}}]}',))).finish_reason == "stop"
    assert assemble(replace(RAW, outcome="cancelled")).finish_reason == "cancelled"
    assert assemble(replace(RAW, outcome="error", status=502)).finish_reason == "error"
    assert assemble(replace(RAW, status=500)).finish_reason == "error"
    assert assemble(replace(RAW, status=400)).finish_reason == "refused"


def test_tools_and_several_choices_are_never_shadowed_blindly() -> None:
    assert assemble(replace(RAW, request=b'{"messages":[],"tools":[{}]}')).tools
    reply = b'{"choices":[{"message":{"content":"x"}}]}'
    assert assemble(replace(RAW, chunks=(reply,))).shadow
    assert not assemble(replace(RAW, chunks=(reply,), request=b'{"messages":[],"n":2}')).shadow


@given(st.binary(max_size=200), st.booleans())
def test_no_reply_is_too_strange_to_assemble(reply: bytes, streamed: bool) -> None:
    exchange = assemble(replace(RAW, chunks=(reply,), streamed=streamed))
    assert exchange.version == "v1"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda i: (
            st.lists(i)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "message", "content", "id", "usage", "finish_reason", "index", "token_ids"]
                ),
                i,
            )
        ),
    )
)
def test_no_json_reply_is_too_strange_to_parse(value: object) -> None:  # fmt: skip
    assert isinstance(parse_reply(json.dumps(value).encode(), False).reply, str)


def test_counts_of_tokens_that_cannot_be_are_left_out() -> None:
    for wrong in ("-1", "true", "1.5", "9" * 400, '"3"'):
        reply = b'{"usage":{"prompt_tokens":3,"completion_tokens":%s}}' % wrong.encode()
        parsed = parse_reply(reply, streamed=False)
        assert parsed.completion_tokens is None, wrong


def test_an_event_says_of_which_line_of_business_a_header_makes_it(serve: Serve, engine: Make) -> None:
    lines = (("bank", When(header={"X-Line": "bank"})),)
    running = serve(document({"teacher": engine("teacher")}, lines=lines))
    running.client.chat(headers={"x-line": "bank"})
    running.client.chat()
    assert [one.line for one in running.spool.exchanges] == ["bank", "other"]
