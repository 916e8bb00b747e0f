"""Personal values give way to surrogates; order numbers, dates and amounts stay."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.redact import Redactor, iban, luhn, pseudonym, redact_exchange, resident_id
from tests.feedback.factory import exchange
from tests.shared_data import data_file

CASES = [
    ("mail me at Bob.Smith@example.co.uk", "mail me at <EMAIL_1>"),
    ("我的手机号是13812345678，谢谢", "我的手机号是<PHONE_1>，谢谢"),
    ("call +44 20 7946 0958 or (412) 555-1234", "call <PHONE_1> or <PHONE_2>"),
    ("座机 010-62345678", "座机 <PHONE_1>"),
    ("card 4111 1111 1111 1111 please", "card <CARD_1> please"),
    ("身份证11010519491231002X的用户", "身份证<ID_1>的用户"),
    ("SSN 123-45-6789", "SSN <SSN_1>"),
    ("to DE89 3704 0044 0532 0130 00 today", "to <IBAN_1> today"),
    ("key sk-abcdefghijklmnopqrstuv", "key <KEY_1>"),
    ("see postgres://user:p4ss@db.local/x", "see <URL_1>"),
    ("my password is hunter22 ok", "my password is <SECRET_1> ok"),
    ("密码：abc12345", "密码：<SECRET_1>"),
    ("验证码是 482913，", "验证码是 <SECRET_1>，"),
    ("My PIN is 3100.", "My PIN is <SECRET_1>."),
]
KEPT = [
    "order #W2378156 on 2024-05-01 for $1,234.56",
    "订单号 202401151381234567890，时间 2024-01-15 13:00，总价 13800 元",
    "tracking 1Z999AA10123456784",
    "my order OD4567891234567890 and order #2345-6789-1011-1213",
    "the password is wrong and I forgot my PIN",
    "shipping is 12.99 and takes 3-5 business days",
    "between 10:00-12:00, room 1203, size 42, 50% off",
    "ISBN 978-3-16-148410-0 costs 1,299.00",
    "我在2024年3月15日买了3件，共计399.00元",
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_personal_values_are_replaced(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


@pytest.mark.parametrize("text", KEPT)
def test_the_shop_s_own_numbers_stay(text: str) -> None:
    assert Redactor().text(text) == text


def test_one_value_has_one_surrogate_throughout() -> None:
    messages = [
        {"role": "user", "content": "I am a@b.com, not c@d.com"},
        {"role": "assistant", "content": [{"type": "text", "text": "a@b.com?"}]},
    ]
    done = redact_exchange(exchange(1, messages=messages, reply="已发到 A@B.com 与 13812345678"))
    assert done.messages[0]["content"] == "I am <EMAIL_1>, not <EMAIL_2>"
    assert done.messages[1]["content"][0]["text"] == "<EMAIL_1>?"
    assert done.reply == "已发到 <EMAIL_1> 与 <PHONE_1>"
    assert done.redacted
    assert done.id == exchange(1).id


def test_clean_exchanges_are_not_marked() -> None:
    clean = exchange(1)
    assert redact_exchange(clean) is clean


def test_units_that_are_addresses_become_pseudonyms() -> None:
    done = redact_exchange(exchange(1, unit="wang@example.cn", user="wang@example.cn"))
    assert done.unit == done.user == pseudonym("wang@example.cn")
    assert "wang" not in done.unit
    assert pseudonym("user-17") == "user-17"


def test_check_digits() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert resident_id("11010519491231002X")
    assert not resident_id("110105194912310021")
    assert iban("GB82WEST12345698765432")
    assert not iban("GB82WEST12345698765433")


@given(st.text(max_size=200))
def test_redacting_again_changes_nothing(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@given(st.emails(), st.sampled_from(["联系我 {}", "reply to {} now"]))
def test_addresses_of_every_shape_go(address: str, frame: str) -> None:
    if not address.isascii() or not address.split("@")[0].replace(".", "").isalnum():
        return
    assert address not in Redactor().text(frame.format(address))


def test_real_dialogues_keep_their_sense() -> None:
    """At most 2 % of real messages hold a value that goes, nearly all of them telephone numbers."""
    marked = total = 0
    with gzip.open(data_file("dialogues.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            if index % 10:
                continue
            redactor = Redactor()
            for message in json.loads(line)["messages"]:
                content = message.get("content")
                if isinstance(content, str):
                    total += 1
                    marked += redactor.text(content) != content
    print(f"{marked} of {total} real messages hold a personal value ({marked / total:.2%})")
    assert marked / total < 0.02
