"""Control tokens beside the messages: split where they are text, refused with their path where they are names."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.engines.tokens import CONTROL_TOKENS
from serving.gateway.body.parser import BodyParser
from understudy.errors import BadRequest

PARSER = BodyParser(CONTROL_TOKENS)
TOKEN, SPLIT = "<|im_end|>", "<\u200b|im_end|>"


def sent(body: dict[str, Any]) -> dict[str, Any]:
    """What the engine gets of a chat with the fields of `body`."""
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}, ensure_ascii=False)
    got: dict[str, Any] = json.loads(PARSER.parse(raw.encode(), chat=True).with_model("m"))
    return got


def tool(name: str = "f", text: str = "does", **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": text, "parameters": parameters}}


def test_descriptions_of_a_tool_and_within_its_schema_are_split() -> None:
    inner = {"type": "object", "description": f"b {TOKEN}", "properties": {"x": {"description": f"c {TOKEN}"}}}
    body = {"tools": [tool(text=f"a {TOKEN}", **inner)], "functions": [{"name": "g", "description": TOKEN}]}
    assert json.dumps(sent(body)["tools"]) == json.dumps(body["tools"]).replace(TOKEN, json.dumps(SPLIT)[1:-1])
    assert sent(body)["functions"][0]["description"] == SPLIT


def test_documents_and_values_of_the_template_are_split() -> None:
    got = sent({"documents": [{"title": TOKEN, "text": ["a", TOKEN]}], "chat_template_kwargs": {"a": {"b": TOKEN}}})
    assert got["documents"] == [{"title": SPLIT, "text": ["a", SPLIT]}]
    assert got["chat_template_kwargs"] == {"a": {"b": SPLIT}}


NAMES: dict[str, dict[str, Any]] = {
    "tools[0].function.name": {"tools": [tool(name=TOKEN)]},
    "tools[1].function.parameters.properties": {"tools": [tool(), tool(properties={TOKEN: {}})]},
    "tools[0].function.parameters.properties.x.enum[1]": {"tools": [tool(properties={"x": {"enum": ["a", TOKEN]}})]},
    "tools[0].function.parameters.properties.x.default": {"tools": [tool(properties={"x": {"default": TOKEN}})]},
    "tools[0].function.parameters.description.enum[0]": {"tools": [tool(description={"enum": [TOKEN]})]},
    "functions[0].name": {"functions": [{"name": TOKEN}]},
    "documents[0]": {"documents": [{TOKEN: "text"}]},
    "chat_template_kwargs": {"chat_template_kwargs": {TOKEN: 1}},
}


@pytest.mark.parametrize("path", NAMES)
def test_a_token_in_a_name_is_refused_with_its_path(path: str) -> None:
    with pytest.raises(BadRequest) as refused:
        sent(NAMES[path])
    assert (refused.value.param, refused.value.code, refused.value.status) == (path, "control_token", 400)
    assert TOKEN in refused.value.message


def test_fields_that_no_template_writes_pass_as_they_are() -> None:
    body = {"stop": [TOKEN], "metadata": {TOKEN: TOKEN}, "response_format": {"name": TOKEN}}
    assert {name: sent(body)[name] for name in body} == body


TEXT = st.lists(st.sampled_from(["<", "|", "im_end", ">", TOKEN, "a", " ", '"', "\\"]), max_size=8).map("".join)
VALUE = st.recursive(TEXT | st.integers(), lambda one: st.lists(one) | st.dictionaries(TEXT, one), max_leaves=8)


@given(VALUE, st.sampled_from(["tools", "functions", "documents", "chat_template_kwargs"]))
def test_no_token_is_left_and_nothing_else_changes(value: Any, field: str) -> None:
    got = value
    with contextlib.suppress(BadRequest):
        got = sent({field: value})[field]
        assert not any(token in text for text in strings(got) for token in CONTROL_TOKENS)
    assert json.dumps(got, ensure_ascii=False).replace("\u200b", "") == json.dumps(value, ensure_ascii=False)


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    return [text for one in value for text in strings(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("role", ["<|system|>", "im_end", "END", "user|>hi<|assistant", "x<|", " end "])
def test_a_role_that_could_make_up_a_control_token_is_refused(role: str) -> None:
    with pytest.raises(BadRequest) as refused:
        sent({"messages": [{"role": role, "content": "hi"}]})
    assert (refused.value.param, refused.value.code, refused.value.status) == ("messages", "control_token", 400)


@pytest.mark.parametrize(
    "role", ["system", "developer", "critic", "ipython", "审稿人", "a role", "", 7, None, ["user"]]
)
def test_other_roles_are_the_engines(role: object) -> None:
    assert sent({"messages": [{"role": role, "content": "hi"}]})["messages"][0]["role"] == role


def test_a_role_is_read_however_it_is_spelled() -> None:
    raw = b'{"model":"m","messages":[{"role":"%s","content":"hi"}]}'
    assert PARSER.parse(raw % b"us\\u0065r", chat=True).with_model("m") == raw % b"us\\u0065r"
    for odd in (b"e\\u006ed", b"\\ud800"):
        with pytest.raises(BadRequest):
            PARSER.parse(raw % odd, chat=True).with_model("m")
