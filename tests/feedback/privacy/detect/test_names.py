"""Names behind words that introduce them."""

from __future__ import annotations

import pytest

from feedback.privacy.detect.finding import plain, read
from feedback.privacy.detect.names import names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Mary Ann O'Neil and I ordered", ["Mary Ann O'Neil"]),
        ("my name is jane doe, hi", ["jane doe"]),
        ("my name is misspelled", []),
        ("Ms. Sharma. While we wait", ["Sharma"]),
        ("我叫王小明想问订单", ["王小明"]),
        ("我叫了外卖", []),
        ("收件人：阿依古丽·买买提，谢谢", ["阿依古丽·买买提"]),
        ("我姓欧阳，女士", ["欧阳"]),
        ("我是新用户", []),
        ("This is American Express calling", []),
    ],
)
def test_a_name_is_found_where_it_is_introduced(text: str, expected: list[str]) -> None:
    assert [text[found.start : found.end] for found in names(read(plain(text)))] == expected
