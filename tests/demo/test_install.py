"""The demo's models: what is missing is named, and what is there is registered once."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import install


def test_nothing_is_missing_in_a_checkout_and_each_model_is_named_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(install, "HERE", tmp_path / "demo")
    assert install.main(["--check"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert [f"demo/{model.folder}/model.safetensors" in line for model, line in zip(install.MODELS, said, strict=True)]
    assert len(said) == len(install.MODELS)


def test_each_model_carries_the_figures_that_were_measured_of_it() -> None:
    found = {model.version: install.measured(model.version) for model in install.MODELS}
    assert found["t1"]["facts"]["general"] > found["v2"]["facts"]["general"] > found["v1"]["facts"]["general"] > 0.5
    assert set(found["v1"]) == set(found["v2"]) == {"parameters", "facts", "agreement"}
    assert found["v2"]["parameters"] < found["t1"]["parameters"]


def test_no_figures_are_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "HERE", tmp_path)
    assert install.measured("v1") == {}
    (tmp_path / "models").mkdir()
    for text in ("[]", "{}", '{"models": {}}', "no json"):
        (tmp_path / "models" / "metrics.json").write_text(text)
        assert install.measured("v1") == {}
