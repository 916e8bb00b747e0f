"""What the trainer found out of a teacher, as others read it."""

from __future__ import annotations

from deploy.engines.knowledge import FILE, Knowledge, read_knowledge, write_knowledge
from understudy.state import StateDir


def test_what_was_found_is_read_back_and_a_damaged_file_is_none(state_dir: StateDir) -> None:
    assert read_knowledge(state_dir) is None
    found = Knowledge(teacher="t1", student="v1", level="text", why="two tokenizers")
    write_knowledge(state_dir, found)
    assert read_knowledge(state_dir) == found
    (state_dir.registry / FILE).write_text("{")
    assert read_knowledge(state_dir) is None


def test_it_is_said_where_there_could_be_more() -> None:
    assert Knowledge().said == ""
    assert Knowledge(level="text", why="so").said == "by the teacher's text alone: so"
    assert Knowledge(level="replies", why="so").said.startswith("from log-probabilities of the teacher's own replies")
