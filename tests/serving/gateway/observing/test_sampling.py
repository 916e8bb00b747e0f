"""Which requests become spans, and what engines are told of their parent."""

from __future__ import annotations

import pytest

from serving.gateway.observing.sampling import EngineCall, Sampler

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT = (f"00-{TRACE}-{PARENT}-{flags}".encode() for flags in ("01", "00"))


class Hand:
    """A clock moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def call(span: int = 7, began: float = 1.0) -> EngineCall:
    return EngineCall(span, began, "teacher", "t1", "big", "127.0.0.1", 9)


def test_a_client_that_says_so_is_sampled_and_its_trace_goes_on() -> None:
    sampler = Sampler(0.0, 10)
    trace = sampler.sample(SAMPLED)
    assert trace is not None
    assert (f"{trace.trace:032x}", f"{trace.parent:016x}", trace.sampled) == (TRACE, PARENT, True)
    given = [(b"traceparent", SAMPLED), (b"tracestate", b"a=b"), (b"x", b"y")]
    sent = trace.asked(call(0xABC), given)
    assert sent == [(b"traceparent", f"00-{TRACE}-{0xABC:016x}-01".encode()), (b"tracestate", b"a=b"), (b"x", b"y")]


def test_a_client_that_says_no_is_left_alone() -> None:
    assert Sampler(1.0, 10).sample(NOT) is None


@pytest.mark.parametrize("rubbish", [
    b"", b"00", b"01-x", SAMPLED.upper().replace(b"AF", b"aF"), b"ff" + SAMPLED[2:],
    f"00-{'0' * 32}-{PARENT}-01".encode(), f"00-{TRACE}-{'0' * 16}-01".encode(), SAMPLED + b"x", b"\xff" * 55,
])  # fmt: skip
def test_a_header_that_is_none_counts_as_none(rubbish: bytes) -> None:
    assert Sampler(0.0, 10).sample(rubbish) is None
    trace = Sampler(1.0, 10).sample(rubbish)
    assert trace is not None
    assert trace.parent == 0


def test_without_a_header_a_share_is_sampled() -> None:
    sampler = Sampler(0.25, 1e9, seed=7)
    taken = sum(sampler.sample(None) is not None for _ in range(4000))
    assert abs(taken - 1000) < 120  # four standard deviations of a binomial of 4,000 at 0.25, seed 7
    assert sampler.counts["sampled"] == taken


def test_clients_get_no_more_than_the_limit_and_engines_are_told_that_it_is_not_sampled() -> None:
    clock = Hand()
    sampler = Sampler(1.0, 5, clock)

    def sampled(header: bytes | None) -> int:
        return sum(trace is not None and trace.sampled for trace in (sampler.sample(header) for _ in range(1000)))

    assert sampled(SAMPLED) == 5
    beyond = sampler.sample(SAMPLED)
    assert beyond is not None
    sent = dict(beyond.asked(call(), [(b"traceparent", SAMPLED)]))
    assert sent[b"traceparent"] == NOT
    assert sampled(None) == 0
    clock.now += 0.7
    assert sampled(SAMPLED) == 3
    clock.now += 3600
    assert sampled(SAMPLED) == 5, "what was not used is not saved up"
    clock.now -= 7200
    assert sampled(SAMPLED) == 0, "a clock that jumps back gives nothing"
    assert sampler.counts["sampled"] == 13
    assert sampler.counts["over_limit"] > 3000


def test_a_limit_of_zero_makes_no_spans() -> None:
    assert Sampler(1.0, 0).sample(None) is None


def test_an_engine_that_failed_ends_when_it_did_and_the_next_is_another_call() -> None:
    trace = Sampler(1.0, 10).sample(None)
    assert trace is not None
    trace.asked(call(1, began=1.0), [])
    trace.failed("unreachable", 1.5)
    trace.asked(call(2, began=1.6), [])
    trace.asked(call(3, began=2.0), [])
    assert [(one.span, one.failed, one.ended) for one in trace.calls] == [
        (1, "unreachable", 1.5), (2, "", 2.0), (3, "", None),
    ]  # fmt: skip
