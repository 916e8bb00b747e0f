"""Mixed domain terms: words of two distant fields in one question."""

from __future__ import annotations

import re

from feedback.texts import normal

FIELDS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "shop": r"\b(?:order|refund|delivery|parcel|coupon|invoice|shipping)\b|订单|退款|快递|优惠券|发票|配送|退货",
        "medicine": r"\b(?:diagnos\w+|prescription|dosage|symptoms?|surgery)\b|诊断|处方|剂量|症状|过敏|手术",
        "law": r"\b(?:lawsuit|liability|plaintiff|jurisdiction|statute|attorney)\b|诉讼|法律责任|原告|管辖|律师|仲裁",
        "software": r"\b(?:api|kubernetes|database|compiler|firmware|sql|stack trace)\b|接口报错|数据库|固件|编译",
        "finance": r"\b(?:mortgage|dividend|hedge|interest rate|portfolio)\b|按揭|股息|对冲|年化利率|股票",
        "travel": r"\b(?:visa application|boarding pass|layover|itinerary|hotel booking)\b|签证|登机|转机|行程单",
    }.items()
}


def detect(text: str, *, first: bool) -> bool:
    """Terms of two fields or more."""
    plain = normal(text)
    return sum(bool(pattern.search(plain)) for pattern in FIELDS.values()) >= 2
