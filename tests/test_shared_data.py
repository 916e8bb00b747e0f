"""What tests need and do not find makes them skip, or fail where it is required."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.outcomes import Failed, Skipped

from tests import shared_data


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_data, "SHARED", tmp_path / "shared")
    monkeypatch.setattr(shared_data, "ROOT", tmp_path)
    for name in ("UNDERSTUDY_DATA", "KAFKA_HOME", "UNDERSTUDY_REQUIRE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))


def put(file: Path) -> Path:
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def test_the_variable_comes_before_the_folder_beside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = put(tmp_path / "shared" / "data" / "rows.jsonl")
    assert shared_data.data_file("rows.jsonl") == beside
    own = put(tmp_path / "own" / "rows.jsonl")
    monkeypatch.setenv("UNDERSTUDY_DATA", str(own.parent))
    assert shared_data.data_file("rows.jsonl") == own


def test_a_kafka_of_the_checkout_is_found_last(tmp_path: Path) -> None:
    put(tmp_path / ".kafka" / "bin" / "kafka-server-start.sh")
    assert shared_data.kafka_home() == tmp_path / ".kafka"
    put(tmp_path / "shared" / "kafka" / "bin" / "kafka-server-start.sh")
    assert shared_data.kafka_home() == tmp_path / "shared" / "kafka"


def test_what_is_lacking_skips_or_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    for required, outcome in (("0", Skipped), ("1", Failed)):
        monkeypatch.setenv("UNDERSTUDY_REQUIRE_DATA", required)
        with pytest.raises(outcome, match="set KAFKA_BOOTSTRAP_SERVERS, or KAFKA_HOME"):
            shared_data.kafka_home()
        with pytest.raises(outcome, match=r"no rows.jsonl: set UNDERSTUDY_DATA"):
            shared_data.data_file("rows.jsonl")


def test_a_missing_program_names_the_command_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_data.need_program("sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Skipped, match=r"`sh`.*scripts/system-packages"):
        shared_data.need_program("sh")


def test_a_missing_package_of_npm_names_the_command_that_brings_it(tmp_path: Path) -> None:
    shared_data.need_package(tmp_path)
    with pytest.raises(Skipped, match=r"`openai`.*scripts/system-packages"):
        shared_data.need_package(tmp_path / "openai")


def test_a_missing_environment_names_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "clients" / "bin" / "python"
    for required, outcome in (("0", Skipped), ("1", Failed)):
        monkeypatch.setenv("UNDERSTUDY_REQUIRE_DATA", required)
        with pytest.raises(outcome, match=r"`clients`.*make install"):
            shared_data.need_python(python)
    shared_data.need_python(put(python))


def test_a_kafka_without_java_names_the_command_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / ".kafka" / "bin" / "kafka-server-start.sh")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Skipped, match="scripts/system-packages"):
        shared_data.kafka_home()
