"""What is measured without redaction is everything else."""

from __future__ import annotations

import pytest

from bench.gateway.candidates.unredacted import take_out
from feedback.privacy.redact import Redactor


def test_texts_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redactor, "text", Redactor.text)  # put back afterwards
    said = {"content": "write to ann@example.com"}
    assert Redactor().value(said) != said
    take_out()
    assert Redactor().value(said) == said
