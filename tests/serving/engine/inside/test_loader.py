"""Loading weights into a running engine: right, or refused with the model as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.engines.names import HASHES_VARIABLE
from tests.engines import EARLIER, LATER, Engines
from tests.serving.engine import models
from tests.serving.engine.inside import alone
from understudy.files import sha256_file

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
SLOT = alone.SLOT
MIB = 1 << 20


def measured(engines: Engines, prompt: tuple[int, ...], slot: str = SLOT) -> list[float]:
    """The engine's log-probabilities of the prompt's own tokens, asked as the agent does."""
    return alone.logprobs_in(engines.control(slot, "POST", "/v1/completions", alone.question(prompt)), prompt)


@pytest.fixture
def closed(settled: Engines) -> Iterator[Engines]:
    """student-b closed, with the later version in it."""
    settled.control(SLOT, "POST", "/understudy/close", {})
    yield settled
    settled.control(SLOT, "POST", "/understudy/load", load_body(settled, LATER))
    assert settled.control(SLOT, "POST", "/understudy/open", {"version": LATER}).status_code == 200


def load_body(engines: Engines, version: str) -> dict[str, str]:
    return {"path": str(engines.registry.path(version)), "version": version}


def test_after_a_load_the_engine_computes_what_transformers_computes(closed: Engines) -> None:
    response = closed.control(SLOT, "POST", "/understudy/load", load_body(closed, EARLIER))
    assert response.status_code == 200, response.text
    for prompt in models.PROMPTS:
        truth = models.own_logprobs(closed.registry.path(EARLIER), prompt)
        assert models.nearly(measured(closed, prompt), truth)
        assert models.nearly(measured(closed, prompt, "student-a"), truth)


def test_after_a_load_no_cached_prefix_of_the_former_version_is_used(closed: Engines) -> None:
    prompt = tuple(range(100, 340))
    body = {"model": "student", "prompt": list(prompt), "max_tokens": 1, "temperature": 0, "logprobs": 5}
    for version in (LATER, LATER, EARLIER):
        closed.control(SLOT, "POST", "/understudy/load", load_body(closed, version))
        answer = closed.control(SLOT, "POST", "/v1/completions", body).json()["choices"][0]
        best = answer["logprobs"]["token_logprobs"][0]
        truth = max(models.next_logprobs(closed.registry.path(version), prompt))
        assert best == pytest.approx(truth, abs=1e-3)


@pytest.mark.parametrize("fault", ["missing tensor", "unknown tensor", "other shape", "NaN", "no folder", "truncated"])
def test_weights_that_do_not_fit_are_refused_and_nothing_changes(closed: Engines, tmp_path: Path, fault: str) -> None:
    folder = broken(closed.registry.path(EARLIER), tmp_path / "broken", fault)
    response = closed.control(SLOT, "POST", "/understudy/load", {"path": str(folder), "version": "v9"})
    assert response.status_code == 422, response.text
    state = closed.control(SLOT, "GET", "/understudy/state").json()
    assert (state["version"], state["open"], state["loading"]) == (LATER, False, False)
    prompt = models.PROMPTS[0]
    assert models.nearly(measured(closed, prompt), models.own_logprobs(closed.registry.path(LATER), prompt))


def broken(source: Path, target: Path, fault: str) -> Path:
    if fault == "no folder":
        return target
    if fault == "truncated":
        models.variant(source, target, lambda tensors: None)
        weights = target / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        return target

    def change(tensors: dict[str, object]) -> None:
        name = "model.layers.0.mlp.down_proj.weight"
        if fault == "missing tensor":
            del tensors[name]
        elif fault == "unknown tensor":
            tensors["model.extra.weight"] = tensors[name].clone()  # type: ignore[attr-defined]
        elif fault == "other shape":
            tensors[name] = tensors[name][:-1].clone()  # type: ignore[index]
        else:
            tensors[name][0, 0] = float("nan")  # type: ignore[index]

    return models.variant(source, target, change)


def test_twenty_loads_do_not_let_memory_grow(closed: Engines) -> None:
    resident = []
    for count in range(24):
        version = EARLIER if count % 2 else LATER
        response = closed.control(SLOT, "POST", "/understudy/load", load_body(closed, version))
        assert response.status_code == 200, response.text
        resident.append(response.json()["workers"][0]["bytes"])
    assert resident[-1] - resident[3] < 10 * MIB, resident


def test_an_open_or_busy_engine_does_not_load(settled: Engines) -> None:
    response = settled.control(SLOT, "POST", "/understudy/load", load_body(settled, EARLIER))
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "busy"


async def test_tied_embeddings_are_served_right_after_a_load(engines: Engines, tmp_path: Path) -> None:
    source = engines.registry.path(EARLIER)
    first, second = models.tied(source, tmp_path / "one", 1.0), models.tied(source, tmp_path / "two", 1.7)
    async with alone.started(engines, first, tmp_path / "log") as (_, http):
        await alone.healthy(http)
        await alone.load(http, second, "v2")
        found = await alone.logprobs(http, models.PROMPTS[0])
    assert models.nearly(found, models.own_logprobs(second, models.PROMPTS[0]))


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in folder.glob("*.safetensors")}


def nudged(source: Path, target: Path) -> Path:
    """The same model but for one value so slightly other that no probe tells."""

    def change(tensors: dict[str, object]) -> None:
        tensors["model.layers.0.mlp.down_proj.weight"][0, 0] += 2**-9  # type: ignore[index]

    models.variant(source, target, change)
    assert hashes(source).keys() == hashes(target).keys()
    assert hashes(source) != hashes(target)
    return target


def test_weights_changed_after_they_were_verified_are_refused_and_nothing_changes(
    closed: Engines, tmp_path: Path
) -> None:
    verified, folder = hashes(closed.registry.path(EARLIER)), nudged(closed.registry.path(EARLIER), tmp_path / "nudged")
    body = {"path": str(folder), "version": "v9"}
    response = closed.control(SLOT, "POST", "/understudy/load", {**body, "hashes": verified})
    assert response.status_code == 422, response.text
    assert "has changed since it was verified" in response.text
    assert closed.control(SLOT, "GET", "/understudy/state").json()["version"] == LATER
    assert measured(closed, models.PROMPTS[0]) == pytest.approx(
        models.own_logprobs(closed.registry.path(LATER), models.PROMPTS[0]), abs=1e-3
    )
    response = closed.control(SLOT, "POST", "/understudy/load", {**body, "hashes": hashes(folder)})
    assert response.status_code == 200, response.text


async def test_an_engine_does_not_start_with_weights_other_than_those_verified(
    engines: Engines, tmp_path: Path
) -> None:
    source = engines.registry.path(EARLIER)
    folder = nudged(source, tmp_path / "nudged")
    env = {HASHES_VARIABLE: json.dumps(hashes(source))}
    async with alone.started(engines, folder, tmp_path / "log", env) as (launcher, _), asyncio.timeout(180):
        while (found := await launcher.look(alone.NAME)) is not None and found.exit is None:
            await asyncio.sleep(0.1)
    assert "has changed since it was verified" in (tmp_path / "log").read_text(errors="replace")
