"""YAML by hand: what says two things, or never ends, is an error and no value."""

from __future__ import annotations

import pytest
import yaml

from understudy.yaml_text import load_yaml


def test_a_key_that_is_given_twice_is_refused_at_any_depth() -> None:
    assert load_yaml("a: {b: 1}\nc: {b: 2}") == {"a": {"b": 1}, "c": {"b": 2}}
    for text in ("a: 1\na: 2", "a: {b: 1, b: 2}"):
        with pytest.raises(yaml.YAMLError, match="given twice"):
            load_yaml(text)


def test_text_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="nested"):
        load_yaml("[" * 5000)
