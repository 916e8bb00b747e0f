"""Personal values give way to surrogates; order numbers, dates and amounts stay."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.events import Kpi
from feedback.privacy.personal import DIGIT, PLAIN, RULES, Rule, card, iban, luhn, resident_id
from feedback.privacy.redact import REACH, STEP, Redaction, Redactor
from tests.feedback.factory import exchange
from tests.feedback.linear import expect_linear
from tests.shared_data import data_file

OURS = Redaction("a key of ours")
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
    ("the password hunter22 fails", "the password <SECRET_1> fails"),
    ("登录密码为：Abc@1234，谢谢", "登录密码为：<SECRET_1>，谢谢"),
    ("短信码 482913", "短信码 <SECRET_1>"),
    ('{"password": "correct horse", "pin": 1234}', '{"password": "<SECRET_1>", "pin": <SECRET_2>}'),
    (r'-d "{\"newPassword\": \"hunter\"}"', r'-d "{\"newPassword\": \"<SECRET_1>\"}"'),
    ('"api_key": "a8f5f167f44f4964"', '"api_key": "<KEY_1>"'),
    ("client_secret=a8f5f167f44f4964", "client_secret=<KEY_1>"),
    ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic <KEY_1>"),
    ("authorization: bearer abcdefabcdef12345678", "authorization: bearer <KEY_1>"),
    ("use glpat-abcdefghij1234567890", "use <KEY_1>"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----.", "<KEY_1>."),
    ("https://x.io/a.png?X-Amz-Signature=ab12cd34&size=42", "https://x.io/a.png?X-Amz-Signature=<KEY_1>&size=42"),
    ("https://x.io/?email=bob%40example.com", "https://x.io/?email=<EMAIL_1>"),
    ("data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,<DATA_1>"),
    ("audio " + "aB3/" * 200, "audio <DATA_1>"),
    ("手机１３８１２３４５６７８，ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ", "手机<PHONE_1>，<EMAIL_1>"),
    ("拨打010-64045966或（0571）8765 4321", "拨打<PHONE_1>或<PHONE_2>"),
    ("国外请打+44 20 7946 0958", "国外请打<PHONE_1>"),
    ("call 1-800-555-1234, my phone number is 4125551234", "call <PHONE_1>, my phone number is <PHONE_2>"),
    ("身份证号：110105491231002", "身份证号：<ID_1>"),
    ("QQ 123456789，微信号 wxid_abc123", "QQ <ID_1>，微信号 <ID_2>"),
    ("my passport number is E12345678", "my passport number is <ID_1>"),
    ("SSN: 123456789", "SSN: <SSN_1>"),
    ("amex 3782 822463 10005", "amex <CARD_1>"),
    ("card 4111.1111.1111.1111", "card <CARD_1>"),
    ("card 4111\u200b1111\u200b1111\u200b1111", "card <CARD_1>"),
    ("redis://:p4ssw0rd@db.local/0", "<URL_1>"),
    ("https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghijkl", "https://hooks.slack.com/services/<KEY_1>"),
    ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\n" + "MIIE/+" * 2000, "<KEY_1>"),
    ("josé@bücher.de，-bob@example.com", "<EMAIL_1>，-<EMAIL_2>"),
    ("id_token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSM", "id_token=<KEY_1>"),
    ("AKIAABCDEFGHIJKLMNOP", "<KEY_1>"),
    ("LTAIabcdefghijklmnop", "<KEY_1>"),
    ("hf_" + "abcdefghij" * 3, "<KEY_1>"),
    ("npm_" + "abcdefghij" * 3, "<KEY_1>"),
    ("glpat-abcdefghijklmnopqrst", "<KEY_1>"),
    ("github_pat_abcdefghijklmnopqrstuvwxyz", "<KEY_1>"),
    ("sk_live_abcdefghijklmnop", "<KEY_1>"),
    ("微信号 abc_defg", "微信号 <ID_1>"),
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


def test_check_digits() -> None:
    assert card("4111 1111 1111 1111")
    assert not card("4111 1111 1111 1112")
    assert luhn("2024011512345674")
    assert not card("2024011512345674")
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert resident_id("11010519491231002X")
    assert not resident_id("110105194912310021")
    assert iban("GB82WEST12345698765432")
    assert not iban("GB82WEST12345698765433")


PARTS = (
    "a", "1", "a1", " ", "a ", "1 ", "-", "a.", "a@", "@", "%40", "eyJ", "-eyJ", ".eyJaaaaaaaaaa", "\\", "'", '"', "是",
    "密码", "token", "secret is ", "pin ", 'password"', "phone 1", "+1 (", "4111 ", "AB12 ", "a://b:", "/" * 511 + " ",
    "?token", "-----BEGIN PRIVATE KEY-----", "-----BEGIN A ", "Bearer ", "0571-",
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_rule_takes_time_that_grows_with_the_text_alone(rule: Rule) -> None:
    heads = ("", "pin", "token=", "-----BEGIN PRIVATE KEY-----")
    expect_linear(rule.pattern.findall, PARTS, heads)


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_values_are_found_wherever_a_long_text_is_searched_in_steps(text: str, expected: str) -> None:
    for before in (STEP - len(text) // 2, STEP + REACH - len(text) // 2):
        filling = "好" * (before - 1) + " "
        assert Redactor().text(filling + text) == filling + expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_no_text_with_a_value_is_passed_over(rule: Rule) -> None:
    for text, _ in CASES:
        plain = text.translate(PLAIN)
        if any(rule.valid(match.group(match.re.groups)) for match in rule.pattern.finditer(plain)):
            assert any(word in plain.lower() for word in rule.needs) if rule.needs else DIGIT.search(plain)


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
