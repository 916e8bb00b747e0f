"""Where fields stand in JSON text, against a JSON library's word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.engines.splitting.json_text import MAX_BRACKETS, MAX_FIELDS, around, elements, fields, mask, quoted
from understudy.errors import TooLarge

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=6), st.booleans(), st.sampled_from([None, 2]))
def test_every_field_is_found_where_it_stands(given: dict[str, object], ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(given, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    found = [(name, json.loads(raw[start:end])) for name, start, end in fields(raw, mask(raw))]
    assert found == list(json.loads(raw).items())


def test_all_values_of_a_name_are_cut_out_and_nested_ones_stay() -> None:
    raw = b'{"m": 1, "x": {"m": 2}, "\\u006d": [3], "y": "\\"m\\": 4"}'
    assert b"?".join(around(raw, "m")) == b'{"m": ?, "x": {"m": 2}, "\\u006d": ?, "y": "\\"m\\": 4"}'


def test_too_many_fields_are_refused() -> None:
    raw = b"{" + b",".join(b'"a":1' for _ in range(MAX_FIELDS + 1)) + b"}"
    with pytest.raises(TooLarge):
        around(raw, "m")


@given(st.lists(values, max_size=6), st.booleans(), st.sampled_from([None, 2]))
def test_every_element_is_found_where_it_stands(given: list[object], ascii_only: bool, indent: int | None) -> None:
    raw = b'{"x": ' + json.dumps(given, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass") + b"}"
    assert [json.loads(raw[start:end]) for start, end in elements(mask(raw), 6)] == json.loads(raw)["x"]


def test_fields_of_an_object_within_and_too_many_brackets() -> None:
    raw = b'[{"a": [1], "b": {"c": 2}}, 3]'
    assert [(name, raw[start:end]) for name, start, end in fields(raw, raw, 1)] == [("a", b"[1]"), ("b", b'{"c": 2}')]
    with pytest.raises(TooLarge):
        list(elements(b"[" + b"[]," * MAX_BRACKETS + b"[]]", 0))


def test_places_within_strings_are_told_from_others() -> None:
    raw = rb'{"a": "b\"c", "d": 5}'
    assert list(quoted(mask(raw), range(len(raw)))) == [2, 3, 7, 8, 9, 10, 11, 15, 16]
