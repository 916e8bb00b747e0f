"""The committed tokenizer: digits alone, nothing lost, the chat template as the models learned it."""

import pytest

from demo import world
from demo.training import corpus
from demo.training.tokenizer import SPECIAL, VOCAB, tokens_per_character

FOLDERS = ("models/teacher", "registry/students/v1", "registry/students/v2")


def test_every_digit_is_a_token_of_its_own(words) -> None:
    for text in ("Order AB1234 costs $45 on March 17", "订单CK9081在12月24日合计99元", "٣٤ 3.14 10000"):
        for token in words.tokenize(text):
            assert sum(character.isdigit() for character in token) <= 1
    assert len(words.encode("2024", add_special_tokens=False)) == 4


@pytest.mark.parametrize(
    "text",
    [
        "Hello there,  two spaces\n\ttab",
        "您好，3月5日送到的水壶。",
        "ok 👍🏽 🇨🇳 𝒳 ﷽",
        "naïve façade — “quotes”",
        "\u0000\u200b",
    ],
)
def test_text_survives_the_round_trip(words, text: str) -> None:
    assert words.decode(words.encode(text, add_special_tokens=False)) == text


def test_the_vocabulary_and_its_special_tokens(words) -> None:
    assert len(words) == VOCAB
    assert [words.convert_tokens_to_ids(token) for token in SPECIAL] == list(range(6))
    assert (words.eos_token, words.pad_token) == ("<|end|>", "<|pad|>")


def test_the_chat_template_marks_each_turn(words) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " 你好 "},
        {"role": "assistant", "content": "您好"},
        {"role": "tool", "content": None},
        {"role": "user", "content": "Hi"},
    ]
    text = words.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|bos|><|system|>Be brief.<|end|><|user|>你好<|end|><|assistant|>您好<|end|>"
        "<|user|><|end|><|user|>Hi<|end|><|assistant|>"
    )


def test_no_language_pays_much_more_than_its_share(words) -> None:
    english, chinese = (
        tokens_per_character(words, [s.reply for s in world.stream(8, "eval", "general", 200, lang)])
        for lang in ("en", "zh")
    )
    assert english < 0.35
    assert chinese < 0.85


def test_all_models_share_one_tokenizer_and_template() -> None:
    for file in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert len({(corpus.ROOT / "demo" / folder / file).read_bytes() for folder in FOLDERS}) == 1
