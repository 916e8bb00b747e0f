"""Engines that somebody else runs: keys stay here, and addresses of earlier documents are understood."""

from __future__ import annotations

import pytest

from ab.experiment import Experiment, When
from ab.running.phases import begun
from deploy.engines.external import ExternalEngine, as_configured, check_keys, external_engines, static_document
from deploy.routing.document import EXTERNAL, RouterConfig, RoutingDocument, SlotView
from understudy.config import Config
from understudy.errors import ConfigError

GIVEN = {"url": "http://h/proxy/v1/", "model": "big", "api_key_env": "SESAME"}


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, ExternalEngine]:
    monkeypatch.setenv("SESAME", "sesame")
    return external_engines(Config({"engines": {"teacher": GIVEN, "student": None}}))


def test_the_key_is_in_memory_and_in_nothing_that_is_written(engines: dict[str, ExternalEngine]) -> None:
    document = static_document(engines, RouterConfig())
    assert (document.slots["teacher"].api_key, document.stable) == ("sesame", None)
    assert "sesame" not in document.model_dump_json() + repr(document)
    assert engines["teacher"].slot.api_key == ""


def test_a_document_of_an_earlier_version_leads_to_the_configured_address(engines: dict[str, ExternalEngine]) -> None:
    former = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True, url="http://h/proxy", model="big")
    ours = SlotView(desired="v1", version="v1", ready=True, url="http://e:1", model="student")
    found = as_configured(RoutingDocument(slots={"teacher": former, "student-a": ours}), engines)
    assert (found.slots["teacher"].url, found.slots["teacher"].api_key) == ("http://h/proxy/v1", "sesame")
    assert found.slots["student-a"] == ours


def test_a_variable_without_a_key_is_named(engines: dict[str, ExternalEngine], monkeypatch: pytest.MonkeyPatch) -> None:
    check_keys(engines)
    monkeypatch.setenv("SESAME", "")
    assert engines["teacher"].lacks_key
    with pytest.raises(ConfigError, match=r"engines\.teacher\.api_key_env.*export SESAME=KEY"):
        check_keys(engines)


def test_white_space_around_a_key_is_none_of_it_and_one_that_no_header_can_carry_is_refused_unsaid(
    engines: dict[str, ExternalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESAME", " sesame\n")
    check_keys(engines)
    assert engines["teacher"].key == "sesame"
    for wrong in ("sesame\r\nx-admin: 1", "sésame"):
        monkeypatch.setenv("SESAME", wrong)
        with pytest.raises(ConfigError, match="SESAME, which holds characters that no key has") as refused:
            check_keys(engines)
        assert wrong not in str(refused.value)


def test_a_wrong_section_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"engines\.teacher\.url"):
        external_engines(Config({"engines": {"teacher": {"url": "h:1", "model": "big"}}}))


def test_lines_of_business_hold_without_a_controller() -> None:
    assert static_document({}, RouterConfig(lines={"shop": When(alias="shop-bot")})).lines[0][0] == "shop"


def test_experiments_of_the_configuration_are_in_their_first_phases_from_the_start() -> None:
    experiment = Experiment.model_validate({
        "id": "halves", "unit": "user", "arms": {"teacher": 0.5, "student": 0.5},
        "primary": {"kpi": "rating", "test": "two_sided"},
    })  # fmt: skip
    assert static_document({}, RouterConfig(experiments=(experiment,))).phases == {"halves": begun(experiment)}
