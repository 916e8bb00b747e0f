"""Passwords, codes and passphrases."""

from __future__ import annotations

import pytest

from feedback.privacy.detect.finding import plain, read
from feedback.privacy.detect.secrets import secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my passphrase is correct horse battery staple and", ["correct horse battery staple"]),
        ("my password is sunshine", ["sunshine"]),
        ("my password is expired", []),
        ("the passwords are the same", []),
        ("please enter the OTP to retrieve your package.", []),
        ("I need the pin to access the account", []),
        ("I changed my password to helpful otters", ["helpful otters"]),
        ("密码是我爱北京天安门，谢谢", ["我爱北京天安门"]),
        ("密码是错误的", []),
        ("密码为8-16位", []),
        ("password is Skks12kS", ["Skks12kS"]),
    ],
)
def test_a_secret_is_what_no_sentence_goes_on_with(text: str, expected: list[str]) -> None:
    assert [text[found.start : found.end] for found in secrets(read(plain(text)), text)] == expected
