"""Check digits and dates."""

from __future__ import annotations

from feedback.privacy.detect.checks import calendar_day, card, iban, ipv4, like_resident_id, luhn, resident_id


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


def test_a_resident_number_with_a_wrong_check_digit_is_one_unless_it_is_a_date_of_an_order() -> None:
    assert like_resident_id("110105194912310021")
    assert not like_resident_id("110105202401150021")
    assert not like_resident_id("990105194912310021")


def test_machines_and_days() -> None:
    assert ipv4("203.0.113.45")
    assert not any(map(ipv4, ("127.0.0.1", "0.0.0.0", "255.255.255.0", "10.0.19045.1", "1.2.03.4")))
    assert all(map(calendar_day, ("2024-05-01", "2024/5/1", "20240501", "01.05.2024", "12-31-1999")))
    assert not any(map(calendar_day, ("2024-13-01", "4155552671", "010-62345678")))
