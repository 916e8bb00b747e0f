"""Texts are sealed under a key of their tenant; without it nobody reads them, and nobody takes them for another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feedback.events import Exchange, HardSample, Kpi, Verdict
from feedback.privacy.vault import Purged, Sealed, Vault
from tests.feedback.factory import exchange, hard

SECRET = "the swallows return to the old barn in spring 燕子春天回到旧谷仓"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "tenants")


def spoken(**changes: Any) -> Exchange:
    given: dict[str, Any] = {
        "at": 100.0,
        "messages": [{"role": "user", "content": SECRET}],
        "reply": SECRET,
        "params": {"stop": SECRET},
    }
    return exchange(1, tenant="acme", **(given | changes))


def test_what_was_sealed_comes_back_and_shows_nothing_of_the_text(vault: Vault) -> None:
    sealed = vault.seal(spoken())
    assert vault.open(Exchange, sealed) == spoken()
    assert SECRET[:20].encode() not in sealed
    clear = json.loads(sealed)
    assert (clear["arm"], clear["version"], clear["tenant"]) == ("teacher", "t1", "acme")
    assert not clear.keys() & set(Exchange.TEXT)


def test_every_event_with_words_of_people_seals_them(vault: Vault) -> None:
    sample = hard(1, text=SECRET, teacher_text=SECRET, student_text=SECRET)
    verdict = Verdict(
        id="v", session="s", at=1.0, exchange="e", teacher="t1", student="v1", similarity=0.5, reasons=(SECRET,)
    )
    for event in (sample, verdict):
        assert SECRET[:20] not in vault.seal(event).decode()
        assert vault.open(type(event), vault.seal(event)) == event
    kpi = Kpi(id="k", session="s", at=1.0, kpi="rating", value=1.0, target="r1")
    assert "sealed" not in json.loads(vault.seal(kpi))


def test_the_same_text_is_never_sealed_alike(vault: Vault) -> None:
    assert vault.seal(spoken()) != vault.seal(spoken())


def test_events_of_former_versions_are_read_as_they_are(vault: Vault) -> None:
    assert vault.open(Exchange, spoken().model_dump_json()) == spoken()


def test_after_a_purge_nothing_of_before_is_stored_or_read_and_what_follows_is(vault: Vault, tmp_path: Path) -> None:
    other = Vault(tmp_path / "tenants")
    before, plain = other.seal(spoken()), spoken().model_dump_json()
    assert vault.keys.destroy("acme", until=150.0)
    for reader in (vault, other, Vault(tmp_path / "tenants")):
        for stored in (before, plain):
            with pytest.raises(Purged):
                reader.open(Exchange, stored)
        with pytest.raises(Purged):
            reader.seal(spoken())
    later = spoken(at=151.0)
    assert vault.open(Exchange, other.seal(later)) == later
    with pytest.raises(Purged):
        vault.open(Exchange, before.replace(b'"at":100.0', b'"at":160.0'))
    assert vault.open(Exchange, other.seal(exchange(2))).tenant == "default"


def test_a_text_that_was_changed_or_moved_to_another_event_is_refused(vault: Vault) -> None:
    sealed = vault.seal(spoken())
    moved = sealed.replace(spoken().id.encode(), exchange(9).id.encode())
    fields = json.loads(sealed)
    fields["sealed"] = fields["sealed"][:-6] + ("AAAA==" if not fields["sealed"].endswith("AAAA==") else "BBBB==")
    for wrong in (moved, json.dumps(fields), json.dumps(fields | {"sealed": "no"}), json.dumps(fields | {"sealed": 1})):
        with pytest.raises(Sealed):
            vault.open(Exchange, wrong)


def test_a_key_that_is_not_here_is_no_purge(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal(spoken())
    with pytest.raises(Sealed, match="is it shared"):
        Vault(tmp_path / "elsewhere").open(Exchange, sealed)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"id": "x"}', b"\xff"])
def test_what_is_no_event_is_a_value_error(vault: Vault, raw: bytes) -> None:
    with pytest.raises(ValueError):
        vault.open(HardSample, raw)
