"""Users' rows as a file: judged again they say what `results` says, and nobody is named in them."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ab.commands import analyse
from ab.experiment import Experiment
from ab.running.phases import Phase, assigned
from feedback.events import Exchange, Exposure, PhaseArm
from feedback.store.config import RedisConfig
from serving import rows_export
from serving.control import commands
from serving.control.app import create_app
from serving.control.client import URL_ENV, Admin, NotRunning, Refused
from serving.control.sources import Sources
from serving.control.token import ENV
from tests.deploy.fleet import World, settled
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange
from tests.serving.control.conftest import TOKEN, client
from tests.serving.up.server import served
from understudy.config import Config
from understudy.errors import UnderstudyError, UsageError
from understudy.state import StateDir

FILE = {
    "id": "a", "arms": {"teacher": 0.5, "student": 0.5},
    "primary": {"kpi": "first_response_correct", "test": "non_inferiority", "margin": 0.05,
                "covariate": "first_response_correct_before"},
    "secondary": [{"kpi": "latency"}, {"kpi": "rating", "covariate": "requests_before"}],
    "guardrails": [{"kpi": "abnormal_termination", "max_increase": 0.02}], "stop": {"planned_units": 600},
}  # fmt: skip
USERS = 700


@pytest.fixture
def world(state_dir: StateDir) -> World:
    """A settled system whose conductor the test drives."""
    return settled(state_dir)


@pytest.fixture
def running(world: World, redis_url: str, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> Iterator[Applier]:
    """A control plane whose experiment `a` is in its second phase, with traffic in both."""
    applier, sources = Applier(redis_url), Sources(Config({}), RedisConfig(url=redis_url), state_dir)
    with client(world, sources) as admin:
        assert admin.put("/experiments/a", json=FILE).status_code == 200
        moved = FILE | {"arms": {"teacher": 0.3, "student": 0.7}}
        assert admin.put("/experiments/a", json=moved).status_code == 200
        phases = [Phase.model_validate(one) for one in admin.get("/experiments/a").json()["phases"]]
    applier.events(traffic(Experiment.model_validate(FILE), phases))
    with served(create_app(world.conductor, sources, TOKEN)) as url:
        monkeypatch.setenv(URL_ENV, url)
        monkeypatch.setenv(ENV, TOKEN)
        yield applier


def traffic(file: Experiment, phases: list[Phase]) -> Iterator[Any]:
    """Users who come in one phase or both, some without a request, some whose reply broke off, with feedback.

    Four in five have been here before the experiment.
    """
    start = time.time() - 7200
    for n in (one for one in range(USERS) if one % 5):
        yield from requests(n, 0, f"用户{n}", "teacher", start - 7200, ())
    for phase in phases:
        for n in range(0 if phase.number == 1 else 300, USERS - 200 if phase.number == 1 else USERS):
            unit, at = f"用户{n}", start + phase.number * 3600 * 0.5 + n
            arm = str(assigned(file, phase, unit).arm)
            yield Exposure(
                id=f"{n}-{phase.number}", session=f"s{n}", at=at, unit=unit, experiment="a", phase=phase.number,
                arm=arm, bucket=0.0, epoch=1, fell_back=n % 50 == 0, tenant="acme" if n % 3 else "default",
                covariates=file.frozen,
            )  # fmt: skip
            part = PhaseArm(experiment="a", phase=phase.number, arm=arm, covariates=file.frozen)
            yield from requests(n, phase.number, unit, arm, at, (part,))


def requests(
    n: int, phase: int, unit: str, arm: str, at: float, parts: tuple[PhaseArm, ...]
) -> Iterator[Exchange | Any]:
    tenant = "acme" if n % 3 else "default"
    for turn in range(n % 4):
        response = f"r{n}-{phase}-{turn}"
        yield exchange(
            response_id=response, session=f"s{n}-{turn // 2}-{phase}", unit=unit, arm=arm, version="v1", at=at + turn,
            status=503 if (n + turn) % 40 == 0 else 200, tenant=tenant,
            experiments=parts,
        )  # fmt: skip
        right = float((n * 7 + turn) % 10 < (8 if arm == "teacher" else 7))
        yield feedback(0, right, response, kpi="first_response_correct", at=at + 9, id=response, tenant=tenant)
        if turn == 0:
            yield feedback(0, n % 11, response, kpi="rating", at=at + 9, id=f"{response}+", tenant=tenant)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_exported_file_analysed_says_what_results_say(
    running: Applier, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, shown = tmp_path / f"rows.{suffix}", tmp_path / "shown.json"
    assert rows_export.main(["a", str(rows), "--json"]) == 0
    count = json.loads(capsys.readouterr().out)["rows"]
    assert commands.experiment(["show", "a", "--json"]) == 0
    shown.write_text(capsys.readouterr().out, "utf-8")
    assert commands.experiment(["results", "a", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert count == sum(sum(phase["units"].values()) for phase in results["phases"]) == 900
    assert analyse([str(shown), "--data", str(rows)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["decision"], again["why"]) == (results["decision"], results["why"])
    assert again["units"] == {arm: one["units"] for arm, one in results["arms"].items()}
    (pair,) = results["comparisons"]
    assert again["sample_ratio"] == pytest.approx({k: results["sample_ratio"][k] for k in again["sample_ratio"]})
    assert len(again["secondary"]) == 2
    for mine, theirs in [
        (again["primary"], pair["primary"]),
        *zip(again["secondary"], pair["secondary"], strict=True),
        *zip(again["guardrails"], pair["guardrails"], strict=True),
    ]:
        said = {key: value for key, value in mine.items() if key in theirs}
        assert said["verdict"] == theirs["verdict"]
        numbers = {key: value for key, value in said.items() if isinstance(value, int | float)}
        assert len(numbers) >= 3
        assert numbers == pytest.approx({key: theirs[key] for key in numbers}, rel=1e-9)
        for name, value in (mine.get("adjusted") or {}).items():
            assert value == (
                theirs["adjusted"][name] if name == "covariate" else pytest.approx(theirs["adjusted"][name])
            )
    told = again["primary"]["adjusted"]
    assert [one["adjusted"]["covariate"] if "adjusted" in one else None for one in again["secondary"]] == [
        None, "requests_before",
    ]  # fmt: skip
    assert 300 < told["units"] < again["primary"]["n"]
    assert told["variance_reduced"] > 0.1
    assert "adjusted for first_response_correct_before (variance reduced by" in results["why"]


def test_units_are_keyed_hashes_and_who_asked_is_in_the_audit_log(
    running: Applier, world: World, state_dir: StateDir, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    assert rows_export.main(["a", str(rows), "--as", "ada"]) == 0
    assert rows.stat().st_mode & 0o777 == 0o600
    text = rows.read_text("utf-8")
    assert "用户" not in text
    table = list(csv.DictReader(text.splitlines()))
    assert {len(row["unit"]) for row in table} == {24}
    assert len({row["unit"] for row in table}) == USERS
    held = {unit.decode() for tenant in ("acme", "default") for unit in running.client.hkeys(f"us:kpi:rows:{tenant}")}
    assert not held & {row["unit"] for row in table}, "and not the ones of Redis, which anybody can try"
    assert {row["fell_back"] for row in table} == {"0", "1"}
    (told,) = [e for e in world.conductor.deployment.audit.entries(0) if e["action"] == "experiment.exported"]
    assert told["details"]["by"].startswith("ada")


def test_what_cannot_be_exported_leaves_the_former_file(
    running: Applier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("former", "utf-8")
    with pytest.raises(Refused, match="no experiment 'b'"):
        rows_export.main(["b", str(rows)])
    with pytest.raises(UsageError, match=r"\.parquet or \.csv"):
        rows_export.main(["a", str(tmp_path / "rows.xlsx")])
    with pytest.raises(UnderstudyError, match="cannot be written"):
        rows_export.main(["a", str(tmp_path / "nowhere" / "rows.csv")])
    head = '{"columns": ["unit", "fell_back"]}'
    for sent in ([head, '{"unit": "x", "fell_back": false}'], [head, '{"rows": 3}']):
        with pytest.raises(NotRunning, match="nothing was written"):
            rows_export.export(rows, iter(sent))
    running.client.hset("us:kpi:rows:acme", "broken", b"\xff")
    with pytest.raises(NotRunning):
        rows_export.export(rows, Admin(tmp_path).lines("/experiments/a/rows"))
    assert rows.read_text("utf-8") == "former"
    assert [path.name for path in tmp_path.glob("*rows*")] == ["rows.csv"]
