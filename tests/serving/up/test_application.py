"""The application that `up` serves is asked for what it lacks, and named when it cannot be asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.engines.keys import own_key
from serving.up import application
from serving.up.config import UpConfig
from serving.up.report.questions import read_questions
from serving.up.supervise.process import environment
from tests.waiting import LONG
from understudy.state import StateDir


def test_the_configured_application_lacks_nothing_in_a_checkout() -> None:
    assert list(application.lacking(StateDir(Path("none")), UpConfig())) == []


def test_an_application_that_is_not_there_is_named_with_its_setting() -> None:
    (said,) = application.lacking(StateDir(Path("none")), UpConfig(application="no_such_application"))
    assert "up.application" in said
    assert "No module named 'no_such_application'" in said


def test_it_writes_as_many_questions_as_the_report_judges(tmp_path: Path) -> None:
    role = application.asking(UpConfig(judged=3), tmp_path / "questions.jsonl")
    subprocess.run(role.argv, env=environment(), check=True, timeout=LONG)
    assert len(read_questions(tmp_path / "questions.jsonl").of("judged", "drift")) == 3


def test_its_traffic_is_sent_as_configured_and_written_where_the_view_reads_it(tmp_path: Path) -> None:
    words = application.sending(StateDir(tmp_path), "http://127.0.0.1:8000", UpConfig(rate=7, users=3)).argv
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--url"] == "http://127.0.0.1:8000/v1"
    assert options["--out"] == str(tmp_path / "run" / "traffic.jsonl")
    assert (options["--rate"], options["--users"]) == ("7.0", "3")


def test_its_traffic_shows_the_key_that_the_gateway_knows_it_by(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert application.sending(state, "http://127.0.0.1:8000", UpConfig()).env == {}
    key = own_key(state)
    assert application.sending(state, "http://127.0.0.1:8000", UpConfig()).env == {"OPENAI_API_KEY": key}


def test_each_of_its_processes_is_given_its_own_options(tmp_path: Path) -> None:
    up = UpConfig(application_options={"layers": 8, "more_of_it": "x y"})
    for role in (
        application.installing(StateDir(tmp_path), up),
        application.sending(StateDir(tmp_path), "http://127.0.0.1:8000", up),
        application.asking(up, tmp_path / "questions.jsonl"),
    ):
        assert role.argv[-4:] == ("--layers", "8", "--more-of-it", "x y")
    (said,) = application.lacking(StateDir(tmp_path), up)
    assert "unrecognized arguments: --layers" in said
