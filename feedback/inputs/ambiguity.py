"""Ambiguity: a short opening question whose subject is a pronoun that nothing before it explains."""

from __future__ import annotations

import re

from feedback.texts import normal, tokens

BARE = re.compile(
    r"^(?:so |and |but |hi,? |hello,? )?(?:why |how |when |where |what )?(?:is|does|did|can|will|about|do i)?\s?"
    r"(?:it|that|this|these|those|they|the (?:thing|one|other one|usual|same))\b(?! (?:is )?(?:my|the|a|an|order))"
    r"|^(?:那个|这个|它|那件事|这事|那东西|老样子|一样的|上次那个)"
)
SUBJECT = re.compile(
    r"\b(?:order|package|parcel|refund|return|invoice|account|password|card|payment|delivery|ticket|coupon|bill)\b"
    r"|订单|快递|包裹|退款|退货|发票|账户|密码|付款|支付|配送|优惠券|商品|账单|会员|积分|地址|尺码"
)
LONGEST = 9
"""Tokens of English, and about twice as many Chinese characters."""


def detect(text: str, *, first: bool) -> bool:
    """Only in an opening message."""
    plain = normal(text)
    limit = LONGEST * 2 if any("\u4e00" <= c <= "\u9fff" for c in plain) else LONGEST
    return first and bool(BARE.search(plain)) and not SUBJECT.search(plain) and len(tokens(plain)) <= limit
