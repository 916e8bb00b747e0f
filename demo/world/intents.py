"""What each intent draws and what a right reply to it must state."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from demo.world import values
from demo.world.causes import CAUSES, FAULTS
from demo.world.shapes import Fact, Family, Lang, Split

Slots = dict[str, str]
Drawn = tuple[Slots, tuple[Fact, ...]]
Draw = Callable[[random.Random, Split, Lang], Drawn]

RETURN_DAYS = 14


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that customers ask; `computed` says that its reply holds a fact which the prompt does not."""

    name: str
    family: Family
    computed: bool
    draw: Draw


def money(lang: Lang, amount: int) -> str:
    """An amount as the language writes it."""
    return f"${amount}" if lang == "en" else f"{amount}元"


def copies(*texts: str) -> tuple[Fact, ...]:
    """Facts that the reply copies from the prompt."""
    return tuple(Fact("copy", text) for text in texts)


def _return_deadline(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    month, day = values.day_of_year(rng, split, RETURN_DAYS)
    last = values.date(lang, month, day + RETURN_DAYS)
    product = values.product(rng, split, lang)
    return {"p": product, "date": values.date(lang, month, day), "last": last}, (Fact("date", last), *copies(product))


def _delivery_date(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    (month, day), days = values.day_of_year(rng, split, 19), rng.randint(2, 9)
    order, last = values.order_id(rng, split), values.date(lang, month, day + days)
    slots = {"id": order, "date": values.date(lang, month, day), "n": str(days), "last": last}
    return slots, (Fact("date", last), *copies(order))


def _pickup_day(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    today, days = rng.randrange(7), rng.randint(2, 6)
    then, product = values.weekday(lang, today + days), values.product(rng, split, lang)
    slots = {"w": values.weekday(lang, today), "n": str(days), "w2": then, "p": product}
    return slots, (Fact("date", then), *copies(product))


def _warranty_end(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    month, year, years = values.month(lang, rng.randint(1, 12)), rng.randint(2015, 2024), rng.randint(2, 5)
    product, then = values.product(rng, split, lang), year + years
    end = f"{month} {then}" if lang == "en" else f"{then}年{month}"
    slots = {"p": product, "month": month, "year": str(year), "k": str(years), "year2": str(then)}
    return slots, (Fact("date", end), *copies(product))


def _order_total(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    a, b = values.amounts(rng, split, (49, 49))
    first, second = values.product(rng, split, lang), values.product(rng, split, lang)
    slots = {"p": first, "q": second, "a": str(a), "b": str(b), "t": str(a + b)}
    return slots, (Fact("sum", money(lang, a + b)), *copies(first, second))


def _difference(rng: random.Random, split: Split) -> tuple[int, int]:
    """Two amounts, the first larger by at least 11, their difference unlike either."""
    while True:
        a, b = values.amounts(rng, split, (99, 49))
        if a - b >= 11 and a != 2 * b:
            return a, b


def _refund_amount(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    (a, b), product = _difference(rng, split), values.product(rng, split, lang)
    slots = {"p": product, "a": str(a), "b": str(b), "t": str(a - b)}
    return slots, (Fact("sum", money(lang, a - b)), *copies(product))


def _points_total(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    a, b = values.amounts(rng, split, (49, 49))
    points = f"{a + b} points" if lang == "en" else f"{a + b}积分"
    return {"a": str(a), "b": str(b), "t": str(a + b)}, (Fact("sum", points),)


def _delay_cause(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    cause, effect = rng.choice(CAUSES[lang])
    order = values.order_id(rng, split)
    return {"id": order, "cause": cause, "effect": effect}, (Fact("cause", effect), *copies(order, cause))


def _fault_remedy(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    fault, why, remedy = rng.choice(FAULTS[lang])
    product = values.product(rng, split, lang)
    slots = {"p": product, "fault": fault, "why": why, "remedy": remedy}
    return slots, (Fact("cause", why), Fact("cause", remedy), *copies(product))


def _cancel_order(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    order, product = values.order_id(rng, split), values.product(rng, split, lang)
    return {"id": order, "p": product}, copies(order, product)


def _change_address(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    order, street = values.order_id(rng, split), values.street(rng, split, lang)
    return {"id": order, "street": street}, copies(order, street)


def _invoice(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    order, name = values.order_id(rng, split), values.person(rng, split, lang)
    return {"id": order, "name": name}, copies(order, name)


def _payment_failed(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    amount, tail = values.amounts(rng, split, (99, 99))[0], values.tail(rng, split)
    return {"a": str(amount), "tail": tail}, (Fact("amount", money(lang, amount)), *copies(tail))


def _exchange(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    old, new = values.product(rng, split, lang), values.product(rng, split, lang)
    return {"p": old, "q": new}, copies(old, new)


def _coupon(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    code, amount = values.code(rng, split), rng.randint(5, 50)
    return {"code": code, "a": str(amount)}, (Fact("amount", money(lang, amount)), *copies(code))


def _stock_alert(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    product, tail = values.product(rng, split, lang), values.tail(rng, split)
    return {"p": product, "tail": tail}, copies(product, tail)


def _rename_account(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    old, new = values.person(rng, split, lang), values.person(rng, split, lang)
    return {"name": old, "name2": new}, copies(old, new)


def _gift_card(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    a, b = _difference(rng, split)
    term = "3 years" if lang == "en" else "3年"
    facts = (Fact("sum", money(lang, a - b)), *copies("GC-41", term))
    return {"a": str(a), "b": str(b), "t": str(a - b)}, facts


def _trade_in(rng: random.Random, split: Split, lang: Lang) -> Drawn:
    (a, b), product = values.amounts(rng, split, (49, 49)), values.product(rng, split, lang)
    slots = {"p": product, "a": str(a), "b": str(b), "t": str(a + b)}
    return slots, (Fact("sum", money(lang, a + b)), *copies("T-7", product))


INTENTS: tuple[Intent, ...] = (
    Intent("return_deadline", "general", True, _return_deadline),
    Intent("delivery_date", "general", True, _delivery_date),
    Intent("pickup_day", "general", True, _pickup_day),
    Intent("warranty_end", "general", True, _warranty_end),
    Intent("order_total", "general", True, _order_total),
    Intent("refund_amount", "general", True, _refund_amount),
    Intent("points_total", "general", True, _points_total),
    Intent("delay_cause", "general", True, _delay_cause),
    Intent("fault_remedy", "general", True, _fault_remedy),
    Intent("cancel_order", "general", False, _cancel_order),
    Intent("change_address", "general", False, _change_address),
    Intent("invoice", "general", False, _invoice),
    Intent("payment_failed", "general", False, _payment_failed),
    Intent("exchange", "general", False, _exchange),
    Intent("coupon", "general", False, _coupon),
    Intent("stock_alert", "general", False, _stock_alert),
    Intent("rename_account", "general", False, _rename_account),
    Intent("gift_card", "drift", True, _gift_card),
    Intent("trade_in", "drift", True, _trade_in),
)
BY_FAMILY: dict[Family, tuple[Intent, ...]] = {
    "general": tuple(intent for intent in INTENTS if intent.family == "general"),
    "drift": tuple(intent for intent in INTENTS if intent.family == "drift"),
}
