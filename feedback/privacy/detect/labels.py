"""Words that say what the number beside them is: a person's, or the shop's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Meaning = Literal["phone", "card", "account", "id", "ssn", "shop", "amount", "hotline"]

LABELS: dict[Meaning, str] = {
    "phone": """
        phone, phones, telephone, mobile, cell, cellphone, tel, call, text me, text us, ring me, reach me,
        contact me, contact number, whatsapp, fax, my number, phone number, dial, sms, voicemail, callback,
        my number is, my number's, his number, her number, landline, home number, work number, handset, viber,
        signal, 电话, 手机, 座机, 我的号码是, 我的号码, 我号码, 联系方式, 联系我, 致电, 拨打, 打给我, 打我,
        传真, 来电, 回电, 短信, 电联, 手机号, 手机号码, 电话号码, 联系号码, 移动电话, 固话, 家里电话, 微信同号""",
    "card": """
        card, cards, card number, visa, mastercard, amex, american express, unionpay, discover, jcb, maestro,
        credit card, debit card, pan, 卡号, 银行卡, 信用卡, 储蓄卡, 借记卡, 银联卡, 工资卡, 建行卡, 工行卡,
        农行卡, 招行卡, 绑定的卡, 银行卡号""",
    "account": """
        account, account no, account number, acct, acc no, a/c, iban, routing, routing number, sort code,
        bank account, beneficiary account, 账号, 帐号, 账户, 帐户, 户头, 银行账号, 收款账号, 对公账户, 存折,
        公积金账号, 账户号""",
    "id": """
        passport, passport no, passport number, id card, id card number, identity card, identity number,
        identity, national id, tax id, aadhaar, nric, nino, driver's license, driver's licence, drivers license,
        driving licence, driving license, licence number, license number, national insurance, id number, id no,
        social insurance, sin, medicare, nhs number, residence permit, 身份证, 身份证号, 身份证号码, 证件号,
        证件号码, 证件, 护照, 护照号, 通行证, 台胞证, 回乡证, 驾照, 驾驶证, 行驶证, 社保号, 社保卡, 医保卡,
        医保号, 军官证, 学生证, 居住证, 户口本, 纳税人识别号, 驾照号""",
    "ssn": "ssn, social security, social security number",
    "shop": """
        order, orders, order id, order no, order number, order#, invoice, invoice number, tracking,
        tracking number, shipment, waybill, parcel, product, product id, item, item no, item number, serial,
        serial number, s/n, case, case number, ticket, ticket number, reference, ref, ref no, reference number,
        imei, isbn, sku, barcode, upc, ean, batch, lot, model, part number, version, build, po, booking,
        booking number, confirmation, confirmation number, code, coupon, voucher, promo, transaction,
        transaction id, receipt, quote, rma, bug, build number, error, error code, timestamp, request id, trace,
        trace id, session id, commit, job, issue, flight, policy number, claim, parcel number, package, 订单,
        订单号, 订单编号, 单号, 运单, 运单号, 快递, 快递单, 快递单号, 物流, 物流单号, 编号, 流水, 流水号, 发票,
        发票号, 发票号码, 发票代码, 货号, 条码, 条形码, 批次, 批号, 型号, 序列号, 商品, 产品, 工单, 工单号,
        取件码, 提货码, 券码, 优惠券, 兑换码, 单据, 交易号, 交易单号, 流水单号, 凭证号, 版本, 时间戳, 包裹,
        案例号, 错误码, 代码, 合同号, 合同, 货单, 退款单, 退款单号, 售后单, 面单, 参考号, 批文, 备案号, 航班,
        商品编号, 产品编号, 货品, 编码, 商家编码, 识别码, 店铺号""",
    "amount": """
        amount, total, price, cost, costs, paid, pay, balance, sum, revenue, sales, budget, worth, usd, rmb,
        cny, eur, gbp, population, views, downloads, points, number of, count, distance, followers, value, plus,
        minus, times, equals, multiply, divide, calculate, compute, subtract, add, 金额, 总额, 总价, 价格, 共计,
        合计, 总计, 支付, 付款, 余额, 收入, 营业额, 销售额, 成本, 预算, 资产, 市值, 人口, 积分, 付了, 花了,
        价值, 计算, 加上, 减去, 乘以, 除以, 等于, 浏览量, 播放量, 下载量, 转账, 贷款, 利润, 亏损, 注册资本,
        总共, 一共, 数量, 库存""",
    "hotline": """
        hotline, helpline, customer service, customer support, customer care, support line, service line,
        service number, call us, contact us, reach us, our number, our phone, our office, toll-free, toll free,
        front desk, switchboard, our store, our shop, store phone, store number, shop phone, our line,
        help desk, helpdesk, service desk, info line, our team, support team, emergency, reception, their phone,
        their telephone, their number, their contact, contact them, call them, reach them, its phone,
        its number, the restaurant, the hotel, the venue, the store, the shop, 客服, 客户服务, 热线, 总机,
        服务电话, 投诉电话, 咨询电话, 官方电话, 商家电话, 店铺电话, 门店电话, 前台, 服务台, 专线, 门店, 本店,
        我店, 我们店, 店里电话, 售后电话, 官方, 我司, 报修电话, 订餐电话, 预订电话, 我们的电话, 他们的电话,
        它的电话, 酒店电话, 餐厅电话, 商家, 服务中心, 服务热线""",
}  # fmt: skip
MEANINGS: dict[str, Meaning] = {
    word.strip(): meaning for meaning, words in LABELS.items() for word in words.split(",") if word.strip()
}
BY_END: dict[str, list[str]] = {}
"""Words by their last two characters, the longest first."""
BY_START: dict[str, list[str]] = {}
"""Words by their first two characters, the longest first."""
for word in sorted(MEANINGS, key=len, reverse=True):
    BY_END.setdefault(word[-2:], []).append(word)
    BY_START.setdefault(word[:2], []).append(word)
BY_END_OF_HOTLINES = {
    end: held for end, words in BY_END.items() if (held := [word for word in words if MEANINGS[word] == "hotline"])
}
WHOSE = 8
"""Characters before a place in which it is told whose it is."""
REACH = 40
"""Characters before a number in which its label is looked for."""
BREAK = re.compile(
    r"[。！!；;\n.](?:(?<!\.)|(?<!\bno\.)(?<!\btel\.)(?<!\bnum\.)(?<!\bacct\.)(?<!\bacc\.)(?<!\bref\.)(?<!\bmob\.)"
    r"(?<!\bph\.)\s)"
)
"""What ends the sentence, and with it the say of a label."""
OF_A_PERSON = re.compile(r"我(?!们|店|司)|本人|\bm(?:y|e|ine)\b|\bI\b", re.I)
OF_A_PLACE = re.compile(
    r"(?:酒店|宾馆|旅馆|旅店|饭店|餐厅|餐馆|咖啡馆|咖啡厅|酒吧|夜总会|剧院|剧场|影院|公园|学院|大学|教堂|医院|机场|车站|公司"
    r"|景区|景点|博物馆|美术馆|艺术馆|体育馆|宾舍|游泳池|泳池|[店馆园寺宫])"
    r"[)）]?的?(?:联系|订餐|预订)?(?:电话号码|电话|号码)\s{0,2}(?:是|为|[:：])?\s{0,2}$"
)
"""What names a place where people go, and its telephone; its own where the number is no mobile's."""
NUMBER_OF = re.compile("电话|号码")
UNIT = re.compile(
    r"(?:\.\d{1,2})?\s{0,2}(?:元|块|美元|美金|欧元|英镑|日元|人民币|万|亿|[%％]|积分|次|个|件|条|人|米|公里|字节"
    r"|毫秒|秒|吨|股"
    r"|(?:dollars?|usd|rmb|cny|yuan|eur|euros?|gbp|pounds?|points?|views|times|users|people|bytes|ms|seconds|km|kg"
    r"|divided|multiplied|squared|units|followers|downloads|shares|won|yen|rupees)\b|[-+*/×÷=]\s{0,2}\d)",
    re.I,
)
"""What follows an amount."""
MONEY = re.compile(
    r"(?:[$€£¥￥₩₹]|\b(?:usd|rmb|cny|eur|gbp|us\$|there (?:are|were)"
    r"|more than|about|nearly|almost|over))\s{0,2}$"
    r"|\d\s{0,2}[+*×÷=^/]\s{0,2}$|[=+×÷*]\s{0,2}$",
    re.I,
)
"""What stands before one."""
ENDS_OF_MONEY = frozenset("$€£¥￥₩₹+*×÷=^/" + "dbyrpent" + "DBYRPENT")
"""Its last characters."""
AFTER = re.compile(
    r"\s{0,2}[,，]?\s{0,2}(?:(?:is|was|are|that's|this is|for|这个是|这是|这个|这|是|为|的|那个)\s{0,2})"
    r"(?:the |my |our |your |an? |我的?|您的|你的|他的|她的|咱们?的?)?",
    re.I,
)
"""What joins a number to a label behind it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one text; `lower` is the text in lower case."""

    lower: str
    _begun: dict[int, int] = field(default_factory=dict)

    def before(self, start: int) -> Meaning | None:
        """What the nearest label in the sentence before `start` says, of two that end alike the longer one."""
        found = next(self._ending(start, BY_END), None)
        return None if found is None else MEANINGS[found[0]]

    def after(self, end: int) -> Meaning | None:
        """What a label says that follows, as in `13812345678 is my order number`."""
        joined = AFTER.match(self.lower, end, end + REACH)
        if joined is None:
            return None
        at = joined.end()
        words = BY_START.get(self.lower[at : at + 2], ())
        return next((MEANINGS[word] for word in words if self.lower.startswith(word, at)), None)

    def of_a_shop(self, start: int) -> bool:
        """Whether the sentence before `start` speaks of a business's own number, and of no person's behind that."""
        found = next(self._ending(start, BY_END_OF_HOTLINES), None)
        return found is not None and not OF_A_PERSON.search(self.lower, found[1], start)

    def of_a_place(self, start: int) -> bool:
        """Whether what stands right before `start` names the telephone of a place, and nobody's beside it."""
        if not NUMBER_OF.search(self.lower, max(0, start - 12), start):
            return False
        found = OF_A_PLACE.search(self.lower, self.sentence(start), start)
        return found is not None and not OF_A_PERSON.search(self.lower, max(0, found.start() - WHOSE), start)

    def sentence(self, start: int) -> int:
        """Where the sentence begins in which `start` is, `REACH` before it at the earliest."""
        low = self._begun.get(start)
        if low is None:
            low = max(0, start - REACH)
            for found in BREAK.finditer(self.lower, low, start):
                low = found.end()
            self._begun[start] = low
        return low

    def _ending(self, high: int, by_end: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, int]]:
        """Those whole words of the sentence before `high` with their ends, the last first and of two the longer one."""
        low = self.sentence(high)
        lower = self.lower
        for at in range(high - 2, low - 1, -1):
            if words := by_end.get(lower[at : at + 2]):
                end = at + 2
                for word in words:
                    first = end - len(word)
                    if first >= low and lower.startswith(word, first) and self._whole(word, first):
                        yield word, end

    def _whole(self, word: str, at: int) -> bool:
        if not word.isascii():
            return True
        before, after = self.lower[at - 1 : at], self.lower[at + len(word) : at + len(word) + 1]
        return not (before.isascii() and before.isalpha()) and not (after.isascii() and after.isalpha())
