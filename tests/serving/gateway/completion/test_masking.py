"""A key is struck out of what an engine sends, however it is cut into chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.completion.masking import MaskedKey


def passed(key: bytes, chunks: list[bytes]) -> bytes:
    masked = MaskedKey(key)
    return b"".join([*map(masked.feed, chunks), masked.rest()])


@given(st.binary(min_size=1, max_size=4), st.lists(st.binary(max_size=6), max_size=8), st.data())
def test_the_key_is_never_passed_on_and_lengths_stay(key: bytes, parts: list[bytes], data: st.DataObject) -> None:
    text = key.join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = passed(key, chunks)
    assert len(found) == len(text)
    assert found == text.replace(key, b"*" * len(key))


def test_what_is_no_key_is_passed_on_at_once() -> None:
    masked = MaskedKey(b"sk-secret")
    assert masked.feed(b"data: a task, sk-") == b"data: a task, "
    assert masked.feed(b"y\n\n") == b"sk-y\n\n"
    assert masked.feed(b"no sk-secret, sk-secre") == b"no *********, "
    assert masked.rest() == b"sk-secre"
