"""Entity values of the demo world and the rule that keeps evaluation values apart from all others.

A value belongs to evaluation when a hash of it falls into one fifth of the range. Products, names, order
numbers, addresses, codes, dates and pairs of amounts are split so; closed sets (weekdays, months, causes,
faults, small day counts) are shared, because a model cannot know a member that it was never told of.
"""

import hashlib
import random
from collections.abc import Callable

from demo.world.shapes import Lang, Split

EVAL_SHARE = 5  # one value in five

ADJECTIVES: dict[Lang, str] = {
    "en": "blue red green black white silver golden purple yellow brown grey pink small large round flat foldable"
    " portable wireless quiet solar digital compact heavy",
    "zh": "蓝色 红色 绿色 黑色 白色 银色 金色 紫色 黄色 棕色 灰色 粉色 小型 大号 圆形 超薄 折叠 便携 无线 静音 太阳能"
    " 数码 迷你 加厚",
}
NOUNS: dict[Lang, str] = {
    "en": "kettle lamp toaster speaker radio camera phone tablet laptop printer monitor keyboard headset charger router"
    " fan heater blender mixer scale clock watch drill torch shaver vacuum cooker freezer scanner projector microphone"
    " tracker sensor drone",
    "zh": "水壶 台灯 烤箱 音箱 收音机 相机 手机 平板 电脑 打印机 显示器 键盘 耳机 充电器 路由器 风扇 暖风机 榨汁机"
    " 搅拌机 电子秤 闹钟 手表 电钻 手电筒 剃须刀 吸尘器 电饭锅 冰柜 扫描仪 投影仪 麦克风 定位器 感应器 无人机",
}
FIRST: dict[Lang, str] = {
    "en": "Anna Peter Maria James Laura Simon Helen David Nora Oscar Julia Frank Emma Paul Clara Victor Alice Henry"
    " Rosa Martin Grace Thomas Ella Robert Lucy Daniel Ruth Leo Sarah Adam",
    "zh": "王 李 张 刘 陈 杨 黄 赵 周 吴 徐 孙 马 朱 胡 林 郭 何 高 罗",
}
LAST: dict[Lang, str] = {
    "en": "Baker Cole Fischer Grant Hughes Jensen Keller Lopez Moore Novak Owens Parker Quinn Reed Stone Turner Vogel"
    " Walsh Young Bishop Carter Dixon Ellis Ford Hunter Lane Mason Nelson Price Shaw",
    "zh": "伟 芳 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 霞 平 刚 晨 建国 晓红 志强 小燕 文博 子涵 雨桐 浩然"
    " 佳怡 思远",
}
STREETS: dict[Lang, str] = {
    "en": "Oak Maple River Church Station Garden Mill Market Castle Harbour Forest Bridge School Park Hill King Queen"
    " Lake Meadow Spring",
    "zh": "中山 人民 解放 建设 和平 长江 黄河 北京 南京 上海 青年 文化 学院 花园 胜利 光明 新华 东风 友谊 滨河",
}
ORDER_PREFIXES = ("AB", "CK", "DX", "EM", "FT", "GR", "HN", "KL", "MP", "QS")
CODE_PREFIXES = ("SAVE", "GIFT", "HOME", "PLUS", "SHOP", "DEAL")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: dict[Lang, str] = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "zh": "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
}


def held_out(value: str) -> bool:
    """Whether a value is kept for evaluation."""
    return hashlib.sha256(value.encode()).digest()[0] % EVAL_SHARE == 0


def draw(rng: random.Random, split: Split, make: Callable[[], str]) -> str:
    """Draw from `make` until the value lies on the side of the split that is asked for."""
    while True:
        value = make()
        if held_out(value) == (split == "eval"):
            return value


def month(lang: Lang, number: int) -> str:
    """The name of a month, 1 to 12."""
    return MONTHS[number - 1] if lang == "en" else f"{number}月"


def date(lang: Lang, number: int, day: int) -> str:
    """A day of a month as the language writes it."""
    return f"{month(lang, number)} {day}" if lang == "en" else f"{number}月{day}日"


def weekday(lang: Lang, number: int) -> str:
    """The name of a weekday, 0 is Monday; numbers wrap around."""
    return WEEKDAYS[lang].split()[number % 7]


def product(rng: random.Random, split: Split, lang: Lang) -> str:
    """A product such as `blue kettle`."""
    joint = " " if lang == "en" else ""
    adjectives, nouns = ADJECTIVES[lang].split(), NOUNS[lang].split()
    return draw(rng, split, lambda: rng.choice(adjectives) + joint + rng.choice(nouns))


def person(rng: random.Random, split: Split, lang: Lang) -> str:
    """A full name."""
    joint = " " if lang == "en" else ""
    first, last = FIRST[lang].split(), LAST[lang].split()
    return draw(rng, split, lambda: rng.choice(first) + joint + rng.choice(last))


def street(rng: random.Random, split: Split, lang: Lang) -> str:
    """A street with a house number."""
    names = STREETS[lang].split()
    if lang == "en":
        return draw(rng, split, lambda: f"{rng.randint(10, 99)} {rng.choice(names)} Street")
    return draw(rng, split, lambda: f"{rng.choice(names)}路{rng.randint(10, 99)}号")


def order_id(rng: random.Random, split: Split) -> str:
    """An order number: two letters, four digits."""
    return draw(rng, split, lambda: f"{rng.choice(ORDER_PREFIXES)}{rng.randint(1000, 9999)}")


def code(rng: random.Random, split: Split) -> str:
    """A coupon code: a word and three digits."""
    return draw(rng, split, lambda: f"{rng.choice(CODE_PREFIXES)}{rng.randint(100, 999)}")


def tail(rng: random.Random, split: Split) -> str:
    """The last four digits of a card or a phone."""
    return draw(rng, split, lambda: f"{rng.randint(1000, 9999)}")


def amounts(rng: random.Random, split: Split, largest: tuple[int, int]) -> tuple[int, int]:
    """Two amounts of at least 11 each, the pair drawn from the right side of the split; `largest` are the bounds."""
    pair = draw(rng, split, lambda: f"{rng.randint(11, largest[0])}+{rng.randint(11, largest[1])}")
    first, second = pair.split("+")
    return int(first), int(second)


def day_of_year(rng: random.Random, split: Split, last_day: int) -> tuple[int, int]:
    """Month and day, the day not after `last_day`."""
    drawn = draw(rng, split, lambda: f"{rng.randint(1, 12)}/{rng.randint(1, last_day)}")
    first, second = drawn.split("/")
    return int(first), int(second)
