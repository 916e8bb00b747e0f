"""Words beside a number."""

from __future__ import annotations

from feedback.privacy.detect.labels import Labels


def test_a_label_is_a_word_of_its_own_and_the_longest_counts() -> None:
    assert Labels("my hotel 1").before(9) is None
    assert Labels("my tel 1").before(7) == "phone"
    assert Labels("my account number is 1").before(21) == "account"
    assert Labels("订单号码 1").before(5) == "shop"


def test_a_sentence_ends_a_labels_say_and_an_abbreviation_does_not() -> None:
    assert Labels("the order is here. 1").before(19) is None
    assert Labels("account no. 1").before(12) == "account"
    assert Labels("订单到了。1").before(5) is None


def test_a_label_may_follow() -> None:
    assert Labels("1 is my order number").after(1) == "shop"
    assert Labels("1这个订单").after(1) == "shop"
    assert Labels("1 and more").after(1) is None
