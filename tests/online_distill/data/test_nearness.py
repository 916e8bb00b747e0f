"""Which prompts are one with a held-out prompt, and which are only of its kind."""

from __future__ import annotations

from online_distill.data.nearness import apart
from online_distill.data.rows import Row
from tests.online_distill.world import make_samples

LONG = "Hello, I bought a kettle in your shop and it came with a dent in its lid. Can I send it back without the box?"
LANG = (
    "你好，我在你们店里买了一个电热水壶，收到的时候盖子上有一个凹痕，请问没有包装盒可以退货吗？我不想要维修，只想退款。"
)


def row(prompt: str, before: str = "") -> Row:
    sample = make_samples(1)[0]
    turns = [{"role": "system", "content": before}] if before else []
    messages = [*turns, {"role": "user", "content": prompt}]
    return Row.of(sample.model_copy(update={"messages": messages}), "anchor", parent="v1")


def left(prompts: list[str], held: list[str]) -> list[str]:
    return [found.messages[-1]["content"] for found in apart([row(p) for p in prompts], [row(h) for h in held])]


def test_the_same_question_in_nearly_the_same_words_stays_on_one_side() -> None:
    near = [LONG.replace("Hello,", "Hello"), LONG.upper(), LANG.replace("你好，", "你好")]
    other = [LONG.replace("kettle", "toaster with four slots").replace("dent in its lid", "missing cable"), "Hi."]
    assert left([*near, *other], [LONG, LANG]) == other


def test_prompts_with_other_numbers_or_codes_are_other_questions() -> None:
    asked = [f"{LONG} My order is A-{n} of May {n % 28}." for n in range(1000, 1040)]
    assert left(asked[1:], asked[:1]) == asked[1:]
    assert left([asked[0].replace("A-1000", "a-１０００")], asked[:1]) == []


def test_a_system_prompt_that_all_share_makes_nobody_alike() -> None:
    before = "You are the friendly assistant of a shop that sells kettles, toasters and irons. " * 20
    asked = [row("When do you open?", before), row("Do you ship to Wales?", before)]
    assert apart(asked, [row("Is the shop closed on Sundays?", before)]) == asked


def test_nothing_held_out_leaves_everything() -> None:
    assert left([LONG], []) == [LONG]
    assert left([], [LONG]) == []
