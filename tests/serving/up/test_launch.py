"""When a start counts as ready, and that waiting for it costs nobody a failed request."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.guard.config import GuardConfig
from serving.up.config import UpConfig
from serving.up.launch import begun, first_reply, install_models, lacks_models, plan
from serving.up.options import UpOptions
from tests.deploy.fleet import teacher
from tests.serving.up.server import served
from understudy.config import load_config
from understudy.errors import ConfigError, UnderstudyError
from understudy.state import StateDir


async def test_the_first_request_waits_until_teacher_and_student_are_both_ready(tmp_path: Path) -> None:
    looks = iter([{"auto"}, {"auto", "student:v1"}, {"auto", "teacher", "student:v1"}])
    now: set[str] = set()
    asked: list[tuple[str, bool]] = []
    shown: set[str] = set()

    async def models(request: Request) -> Response:
        shown.add(request.headers["authorization"])
        now.update(next(looks, {"student"}))
        return JSONResponse({"data": [{"id": name} for name in now]})

    async def chat(request: Request) -> Response:
        model = (await request.json())["model"]
        asked.append((model, model in now))
        return JSONResponse({}, headers={"x-understudy-arm": model})

    routes = [Route("/v1/models", models), Route("/v1/chat/completions", chat, methods=["POST"])]
    with served(Starlette(routes=routes)) as url:
        await first_reply(SimpleNamespace(gateway=url), SimpleNamespace(lives={}), tmp_path, 30.0, "own-1")
    assert asked == [("student", True), ("teacher", True)]
    assert shown == {"Bearer own-1"}


@pytest.mark.parametrize("student", ["there is no student yet", "v1 is not fit yet: it learns and answers nobody"])
async def test_where_no_student_may_answer_the_teacher_alone_is_waited_for(student: str, tmp_path: Path) -> None:
    asked: list[str] = []
    epochs = iter([0, 0, 1])  # at first the controller has said nothing yet

    async def models(request: Request) -> Response:
        return JSONResponse({"data": [{"id": "auto"}, {"id": "teacher"}]})

    async def ready(request: Request) -> Response:
        epoch = next(epochs)
        return JSONResponse({"epoch": epoch, "arms": {"teacher": "answers", "student": student if epoch else NONE}})

    async def chat(request: Request) -> Response:
        asked.append((await request.json())["model"])
        return JSONResponse({}, headers={"x-understudy-arm": "teacher"})

    routes = [
        Route("/v1/models", models), Route("/ready", ready), Route("/v1/chat/completions", chat, methods=["POST"]),
    ]  # fmt: skip
    with served(Starlette(routes=routes)) as url:
        await first_reply(SimpleNamespace(gateway=url), SimpleNamespace(lives={}), tmp_path, 30.0)
    assert asked == ["teacher"]
    assert next(epochs, None) is None


NONE = "there is no student yet"
OUTSIDE = {"url": "http://127.0.0.1:9001/v1", "model": "big"}


def test_up_refuses_a_student_that_it_cannot_distil(tmp_path: Path) -> None:
    file = tmp_path / "outside.yaml"
    file.write_text(json.dumps({"engines": {"teacher": OUTSIDE, "student": OUTSIDE}}))
    with pytest.raises(ConfigError, match=r"engines\.student.*understudy serve"):
        plan(UpOptions(StateDir(tmp_path / "state"), config=file))


def test_a_swap_is_not_waited_for_where_nobody_brings_the_questions(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("up: {application: null}")
    with pytest.raises(ConfigError, match=r"--until-swap.*up\.application is null"):
        plan(UpOptions(StateDir(tmp_path / "state"), config=file, until_swap=True))
    assert plan(UpOptions(StateDir(tmp_path / "state"), config=file)).up.application is None


BRINGS = """
import sys, time
from pathlib import Path
print("fetching", flush=True)
while not Path(__file__).with_name("told").exists():
    time.sleep(0.01)
print("cutting", flush=True)
sys.exit(int("--fails" in sys.argv))
"""


async def test_what_the_application_does_to_bring_its_models_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bringing").mkdir()
    (tmp_path / "bringing" / "__init__.py").touch()
    (tmp_path / "bringing" / "install.py").write_text(BRINGS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    state, told = StateDir(tmp_path / "state"), []
    for folder in (state.run, state.logs):
        folder.mkdir(parents=True)

    def tell(line: str) -> None:
        told.append(line)
        (tmp_path / "bringing" / "told").touch()

    await install_models(state, UpConfig(application="bringing"), tell)
    assert told[0] == "models: fetching"
    with pytest.raises(UnderstudyError, match=r"could not be registered: cutting .*install\.log"):
        await install_models(state, UpConfig(application="bringing", application_options={"fails": 1}), told.append)


def test_models_are_brought_until_all_are_there(state_dir: StateDir) -> None:
    state_dir.run.mkdir(parents=True, exist_ok=True)
    assert lacks_models(state_dir)
    teacher(state_dir)
    assert not lacks_models(state_dir)
    begun(state_dir).touch()
    assert lacks_models(state_dir), "a start was killed while models came, and the next one does not go on"


@pytest.mark.parametrize(("given", "mode"), [({}, "enforce"), ({"guard": {"mode": "off"}}, "off")])
def test_up_tells_every_role_to_enforce_where_its_user_says_nothing(
    given: dict[str, object], mode: str, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(json.dumps(given))
    written = plan(UpOptions(StateDir(tmp_path / "state"), config=file)).config
    assert load_config(written).section(GuardConfig).mode == mode


def test_serve_begins_by_watching_alone(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(json.dumps({"engines": {"teacher": OUTSIDE}}))
    assert load_config(file).section(GuardConfig).mode == "observe"
