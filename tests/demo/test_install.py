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
