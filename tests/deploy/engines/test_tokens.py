"""Which tokens of an engine are control tokens, by its tokenizer and template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.engines.tokens import CONTROL_TOKENS, MOST, control_tokens, split_for, splittable


def model(folder: Path, added: list[dict[str, Any]], template: str | None = None, **config: Any) -> Path:
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added}), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder


def test_special_tokens_count_and_others_where_the_template_names_them(tmp_path: Path) -> None:
    added = [
        {"content": "<|im_end|>", "special": True}, {"content": "<think>", "special": False},
        {"content": "<tool_call>", "special": False}, {"content": "  ", "special": False},
    ]  # fmt: skip
    found = control_tokens(model(tmp_path, added, "<tool_call>{{ messages }}<|im_end|>[INST]"))
    assert set(found) == {"<|im_end|>", "<tool_call>", "[INST]"}
    assert "<s>" not in found  # which means nothing there


@pytest.mark.parametrize("template", ["[INST]", [{"name": "default", "template": "[INST]"}]])
def test_a_template_within_the_configuration_is_read(tmp_path: Path, template: Any) -> None:
    found = control_tokens(model(tmp_path, [{"content": "<s>", "special": True}], chat_template=template))
    assert set(found) == {"<s>", "[INST]"}


def test_what_cannot_be_split_is_left_out_and_the_list_is_bounded(tmp_path: Path) -> None:
    added = [{"content": f"<{n}>", "special": True} for n in range(MOST + 50)]
    added += [{"content": content, "special": True} for content in ("x", "\U0001f642!", "<named>")]
    found = control_tokens(model(tmp_path, added, "<named>"))
    assert len(found) == MOST
    assert found[0] == "<named>"
    assert all(map(splittable, found))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"added_tokens": 7}', '{"added_tokens": [7, {"content": 3}]}', "\xff"]
)
def test_a_tokenizer_that_cannot_be_read_tells_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text, "latin-1")
    assert control_tokens(tmp_path) == ()
    assert control_tokens(tmp_path / "nowhere") == ()


def test_special_tokens_that_only_the_files_beside_the_tokenizer_name_count(tmp_path: Path) -> None:
    config = {
        "added_tokens_decoder": {"7": {"content": "<|tool|>", "special": True}, "8": {"content": "<plain>"}, "9": 3},
        "bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": None, "unk_token": 7,
        "additional_special_tokens": ["<|a|>", {"content": "<|b|>"}, 4], "extra_special_tokens": {"image": "<|image|>"},
    }  # fmt: skip
    added = [{"content": "<|im_end|>", "special": True}, {"content": "\n\n", "special": True}]
    folder = model(tmp_path, added, "\n\n", **config)
    (folder / "special_tokens_map.json").write_text('{"cls_token": "[CLS]"}', "utf-8")
    assert set(control_tokens(folder)) == {
        "<|im_end|>", "<|tool|>", "<s>", "</s>", "<|a|>", "<|b|>", "<|image|>", "[CLS]",
    }  # fmt: skip


def test_what_is_configured_beyond_the_usual_is_split_for_every_engine() -> None:
    configured = (*CONTROL_TOKENS, "<<ours>>")
    assert split_for((), configured) == configured
    assert split_for(("<|end|>", "x", "\U0001f600!"), configured) == ("<|end|>", "<<ours>>")
