"""Personal values give way to surrogates; order numbers, dates and amounts stay."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.provisional import domains

from feedback.events import Kpi
from feedback.privacy.detect.windows import REACH, STEP
from feedback.privacy.redact import Redaction, Redactor
from tests.feedback.factory import exchange
from tests.feedback.privacy.cases import CASES
from tests.shared_data import data_file

OURS = Redaction("a key of ours")
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
    "order id 4111111111111111, order number 456-789-0123",
    "订单号13812345678已发货，运单号: 13912345678",
    '{"order_id": "13812345678", "amount": 13800, "date": "2024-01-15"}',
    "IMEI 352099001761481, barcode 4006381333931, SKU 123-45-6789",
    "20240115123456 and 2024011512345674 are times",
    "I have 12 345 678 points, +12 345 678 more, price 100-200-3000",
    "验证码是6位数字，300秒内有效；验证码 300秒有效；密码是不是错了；密码为8-16位",
    "password is required! password is case-sensitive, 8-16 characters",
    "the PIN is 4-digit, the OTP is 100 seconds old",
    "token: 100000000 points, the secret is love, coupon code: SAVE20",
    "https://shop.example.com/list?sort_key=price&size=42&code=SAVE20",
    "ＡＢＣ　１２３，全角",
    "zero\u200bwidth and 👨\u200d👩\u200d👧 stay, 12 months, 24 个月, 3.5 kg, 15:30, 2024-11-21",
    "version 4111.2.3.4 of 1234.5678.9012.3456",
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
    done = OURS.exchange(exchange(1, messages=messages, reply="已发到 A@B.com 与 13812345678"))
    assert done.messages[0]["content"] == "I am <EMAIL_1>, not <EMAIL_2>"
    assert done.messages[1]["content"][0]["text"] == "<EMAIL_1>?"
    assert done.reply == "已发到 <EMAIL_1> 与 <PHONE_1>"
    assert done.redacted
    assert done.id == exchange(1).id


def test_clean_exchanges_are_not_marked() -> None:
    clean = exchange(1)
    assert OURS.exchange(clean) is clean


def test_token_ids_go_where_a_surrogate_comes_since_they_say_what_the_text_said() -> None:
    clean = OURS.exchange(exchange(reply_tokens=[5, 6]))
    assert clean.reply_tokens == (5, 6)
    for changes in ({"reply": "write to wang@example.cn"}, {"messages": [{"role": "user", "content": "13812345678"}]}):
        assert OURS.exchange(exchange(reply_tokens=[5, 6], **changes)).reply_tokens is None


def test_units_that_are_addresses_become_pseudonyms() -> None:
    done = OURS.exchange(exchange(1, unit="wang@example.cn", user="wang@example.cn"))
    assert done.unit == done.user == OURS.pseudonym("wang@example.cn")
    assert "wang" not in done.unit
    assert OURS.pseudonym("user-17") == "user-17"
    assert Redaction("another key").pseudonym("wang@example.cn") != done.unit


def test_what_a_key_names_a_secret_goes_whatever_it_looks_like() -> None:
    arguments = {"password": "horse", "pin": 7, "otp_sent": True, "x-api-key": "abc", "session_key": "def"}
    done = Redactor().value({"name": "reset_password", "arguments": arguments})
    assert done == {
        "name": "reset_password",
        "arguments": {
            "password": "<SECRET_1>",
            "pin": "<SECRET_2>",
            "otp_sent": True,
            "x-api-key": "<SECRET_3>",
            "session_key": "<SECRET_4>",
        },
    }


def test_keys_and_whole_numbers_are_read_and_a_key_says_what_a_value_is() -> None:
    given = {
        "card": 4111111111111111, "to": {"bob@example.com": 2}, "order_id": 13812345678, "tracking no": "13912345678",
        "phone": "4125551234", "max_tokens": 128, "seed": 20241121, "temperature": 0.5, "stop": None, "n": 1,
    }  # fmt: skip
    assert Redactor().value(given) == given | {
        "card": "<CARD_1>", "to": {"<EMAIL_1>": 2}, "phone": "<PHONE_1>",
    }  # fmt: skip


def test_arguments_of_tools_and_pictures_are_redacted_and_names_of_functions_stay() -> None:
    call = {"name": "send_otp_13812345678x", "arguments": '{"to": "13812345678", "order_id": "13912345678"}'}
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ", "detail": "low"}}
    messages = [{"role": "assistant", "tool_calls": [{"function": call}]}, {"role": "user", "content": [picture]}]
    done = OURS.exchange(exchange(1, messages=messages, params={"metadata": {"token": "abc", "email": "a@b.com"}}))
    assert done.messages[0]["tool_calls"][0]["function"] == {
        "name": "send_otp_13812345678x",
        "arguments": '{"to": "<PHONE_1>", "order_id": "13912345678"}',
    }
    assert done.messages[1]["content"][0]["image_url"] == {"url": "data:image/jpeg;base64,<DATA_1>", "detail": "low"}
    assert done.params == {"metadata": {"token": "<SECRET_1>", "email": "<EMAIL_1>"}}


def test_feedback_names_the_session_as_the_redacted_exchange_does() -> None:
    session = OURS.exchange(exchange(1, session="wang@example.cn")).session
    done = OURS.kpi(
        Kpi(id="k", session="wang@example.cn", at=1.0, kpi="rating", value=1.0, target="session:wang@example.cn")
    )
    assert (done.session, done.target) == (session, f"session:{session}")
    plain = Kpi(id="k", session="response:r1", at=1.0, kpi="rating", value=1.0, target="r1")
    assert OURS.kpi(plain) is plain


def test_feedback_names_a_response_as_the_redacted_exchange_does() -> None:
    name = OURS.exchange(exchange(1, response_id="wang@example.cn")).response_id
    given = Kpi(id="k", session=f"response:{name}", at=1.0, kpi="rating", value=1.0, target="wang@example.cn")
    assert OURS.kpi(given).target == name != "wang@example.cn"


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_values_are_found_wherever_a_long_text_is_searched_in_steps(text: str, expected: str) -> None:
    for before in (STEP - len(text) // 2, STEP + REACH - len(text) // 2):
        filling = "好" * (before - 1) + " "
        assert Redactor().text(filling + text) == filling + expected


@given(st.text(max_size=200))
def test_redacting_again_changes_nothing(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@given(
    st.from_regex(r"[a-z0-9]{1,12}(\.[a-z0-9]{1,12}){0,2}", fullmatch=True), domains(),
    st.sampled_from(["联系我 {}", "reply to {} now"]),
)  # fmt: skip
def test_addresses_of_every_shape_go(who: str, domain: str, frame: str) -> None:
    address = f"{who}@{domain}"
    assert address not in Redactor().text(frame.format(address))


def test_real_dialogues_keep_their_sense() -> None:
    """At most 3 % of real messages hold a value that goes, nearly all of them names and telephone numbers."""
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
    assert marked / total < 0.03


def test_a_name_that_is_no_person_s_is_looked_at_once_and_a_personal_one_is_kept_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feedback.privacy.redact.REMEMBERED", 2)
    ours, looked = Redaction("a key of ours"), []
    look = Redactor.text
    monkeypatch.setattr(Redactor, "text", lambda self, text: looked.append(text) or look(self, text))
    visit, mail = "visit 17 of shop B", "wang@example.cn"
    for _ in range(2):
        assert ours.pseudonym(visit) == visit
        assert ours.pseudonym(mail).startswith("p-")
    assert looked == [visit, mail, mail]
    assert mail not in repr(vars(ours))
    for name in ("visit 18 of shop B", "visit 19 of shop B", visit, "x " * 500):
        assert ours.pseudonym(name) == name
    assert looked.count(visit) == 2
    assert len(ours._harmless) <= 2
