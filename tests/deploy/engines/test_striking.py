"""A key is struck out of what an engine says of it; a word that only stands for one is not."""

from __future__ import annotations

import json

import pytest

from deploy.engines.striking import STRUCK, is_secret, struck


@pytest.mark.parametrize("key", ["sk-0123456789", "with/slash/0123", "password"])
def test_a_key_is_struck_out_however_json_writes_it(key: str) -> None:
    for text in (
        f"Incorrect API key: {key}.",
        json.dumps({"error": key}),
        json.dumps({"error": key}).replace("/", r"\/"),
    ):
        assert key not in struck(text, key).replace(r"\/", "/")
        assert STRUCK in struck(text, key)


@pytest.mark.parametrize("key", ["", "c", "any", "EMPTY"])
def test_what_engines_without_keys_are_given_leaves_their_answers_alone(key: str) -> None:
    """The name of a field may hold it."""
    text = '{"seconds": 0.1, "company": "EMPTY"}'
    assert not is_secret(key)
    assert struck(text, key) == text
