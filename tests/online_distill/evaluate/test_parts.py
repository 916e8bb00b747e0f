"""What each token of a reply is, by rarity."""

from __future__ import annotations

from online_distill.data.encoding import Encoder
from online_distill.evaluate.parts import parts, rare_words
from tests.online_distill.world import TOKENIZER

REPLIES = [f"Your order A{i} from Lindgren costs {i + 40} euros in all." for i in range(3)] + ["So do you."] * 297


def said(prompt: str, reply: str) -> dict[str, str]:
    """What the words of a reply are, by the part of their characters."""
    words = reply.split()
    ends = [sum(len(word) + 1 for word in words[: i + 1]) - 1 for i in range(len(words))]
    spans = [(end - len(word), end) for word, end in zip(words, ends, strict=True)]
    return dict(zip(words, parts(prompt, reply, spans, rare_words(REPLIES)), strict=True))


def test_a_number_or_a_rare_word_is_copied_where_the_prompt_has_it_else_computed() -> None:
    found = said("What does order A1 from Lindgren cost, 20 each?", "your order A1 from Lindgren costs 41 euros you")
    assert found["A1"] == found["Lindgren"] == "copied"
    assert found["41"] == "computed"
    assert found["you"] == "wording"


def test_each_token_of_a_reply_has_its_place() -> None:
    encoder, reply = Encoder(TOKENIZER), "订单 A17 共 1,250 元。"
    encoded = encoder.encode([{"role": "user", "content": "?"}], reply, max_length=512, max_reply=64)
    assert encoded is not None
    spans = encoder.spans(reply)
    assert len(spans) == len(encoded.tokens) - encoded.start
    assert spans[-1] == (len(reply), len(reply))
    found = parts("A17?", reply, spans, frozenset())
    assert {"copied", "computed", "wording"} == set(found)
