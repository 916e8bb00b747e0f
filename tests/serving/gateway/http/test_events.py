"""Server-sent events pass whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.http.events import EventGate
from tests.serving.gateway.upstream import event


@given(st.lists(st.text(max_size=20), max_size=6), st.lists(st.integers(1, 60), max_size=30))
def test_events_pass_whole_and_every_byte_comes_out(texts: list[str], cuts: list[int]) -> None:
    stream = b"".join(event(text) for text in texts) + b"data: [DO"
    gate, out, at = EventGate(), b"", 0
    for cut in [*cuts, len(stream)]:
        passed = gate.feed(stream[at : at + cut])
        assert passed == b"" or passed.endswith(b"\n\n")
        out += passed
        at += cut
    assert out + gate.rest() == stream
