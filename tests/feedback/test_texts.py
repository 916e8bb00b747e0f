"""Words, characters and languages of texts."""

from __future__ import annotations

from feedback.texts import language, tokens


def test_text_is_cut_into_words_and_characters() -> None:
    assert tokens("订单 A12 共 ￥1,250.50！") == ["订", "单", "a", "12", "共", "1,250.50"]
    assert language("你好，我的 order 到了吗") == "zh"
    assert language("where is 快递") == "en"
