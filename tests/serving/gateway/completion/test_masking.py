"""A key is struck out of what an engine sends, however it is cut into chunks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.completion.masking import MaskedKey


def passed(key: bytes, chunks: list[bytes]) -> bytes:
    masked = MaskedKey(key)
    return b"".join([*map(masked.feed, chunks), masked.rest()])


KEYS = st.one_of(st.binary(min_size=1, max_size=4), st.text("a/\\", min_size=1, max_size=5).map(str.encode))
"""Any, and such as repeat what escaping adds."""


def spellings(key: bytes) -> tuple[bytes, bytes]:
    """As it is, and as JSON may write it."""
    return key, key.replace(b"/", rb"\/")


@given(KEYS, st.lists(st.one_of(st.binary(max_size=6), st.just(b"\\")), max_size=8), st.data())
def test_the_key_is_never_passed_on_and_lengths_stay(key: bytes, parts: list[bytes], data: st.DataObject) -> None:
    said = [data.draw(st.sampled_from(spellings(key))) for _ in parts]
    text = b"".join(part + one for part, one in zip(parts, said, strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = passed(key, chunks)
    assert len(found) == len(text)
    assert found == re.sub(b"|".join(map(re.escape, spellings(key))), lambda one: b"*" * len(one[0]), text)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_key_with_slashes_is_struck_as_json_writes_it_by_as_many_asterisks(size: int) -> None:
    said = rb'{"message": "no sk-ab/c/defghi, no sk-ab\/c\/defghi, but sk-ab\/c/x"}'
    found = passed(b"sk-ab/c/defghi", [said[at : at + size] for at in range(0, len(said), size)])
    assert found == b'{"message": "no **************, no ****************, but sk-ab\\/c/x"}'


def test_a_value_of_a_header_is_struck_by_itself_and_holds_nothing_back() -> None:
    masked = MaskedKey(b"sk-a/b")
    given = [(b"x-said", rb"sk-a/b, sk-a\/b; sk-a"), (b"x-more", b"/b")]
    assert masked.headers(given) == [(b"x-said", b"******, *******; sk-a"), (b"x-more", b"/b")]
    assert masked.rest() == b""


def test_what_is_no_key_is_passed_on_at_once() -> None:
    masked = MaskedKey(b"sk-secret")
    assert masked.feed(b"data: a task, sk-") == b"data: a task, "
    assert masked.feed(b"y\n\n") == b"sk-y\n\n"
    assert masked.feed(b"no sk-secret, sk-secre") == b"no *********, "
    assert masked.rest() == b"sk-secre"
