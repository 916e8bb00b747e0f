"""What is sent: bodies that differ, half with digits, a quarter Chinese, each request a unit of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.gateway.requests import UNIT, bodies, script
from feedback.texts import language


@pytest.mark.parametrize(("size", "stream"), [(512, False), (8 << 10, True)])
def test_bodies_are_as_people_write(size: int, stream: bool) -> None:
    made = bodies(size, stream, 64)
    texts = [json.loads(body)["messages"][0]["content"] for body in made]
    assert len(set(texts)) == 64
    assert sum(bool(re.search(r"\d", text)) for text in texts) == 32
    assert 12 <= sum(language(text) == "zh" for text in texts) <= 20
    assert all(body.count(UNIT.encode()) == 1 and json.loads(body)["stream"] is stream for body in made)
    assert all(size / 3 < len(body) < 2 * size for body in made)


def test_the_script_names_the_bodies_and_waits_where_it_is_told_to(tmp_path: Path) -> None:
    assert "delay" not in script(tmp_path, 512, False, 0.0).read_text()
    assert "return 7 end" in script(tmp_path, 512, False, 7.2).read_text()
    assert (tmp_path / "bodies-512-False.jsonl").read_bytes().count(b"\n") == 512
