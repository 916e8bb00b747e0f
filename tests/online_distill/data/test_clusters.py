"""Prompts of one wording share a cluster, and what belongs where never changes."""

from __future__ import annotations

from collections import Counter, defaultdict

from demo.world import stream
from online_distill.data.clusters import Clusters, is_reserved, masked
from online_distill.data.material import asked


def prompts(n: int, seed: int = 5) -> list[tuple[str, str]]:
    drawn = stream(seed, "traffic", "general", n)
    return [(f"{s.intent}/{s.lang}", asked(list(s.messages))) for s in drawn]


def test_numbers_codes_and_names_are_masked() -> None:
    assert masked("Order CK1234 of Anna Baker costs $45.") == masked("Order AB77 of Rosa Cole costs $9.")
    assert masked("订单CK1234要45元") == masked("订单AB77要9元")
    assert masked("Where is my kettle?") != masked("Where is my lamp?")


def test_the_clusters_of_the_demos_traffic_are_mostly_of_one_kind_and_language() -> None:
    clusters = Clusters()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, prompt in prompts(900):
        kinds[clusters.of(prompt)][kind] += 1
    purity = sum(counts.most_common(1)[0][1] for counts in kinds.values()) / 900
    assert purity > 0.8
    assert 34 <= len(kinds) < 400
    assert {counts.most_common(1)[0][0] for counts in kinds.values()} == {kind for kind, _ in prompts(900)}


def test_what_comes_later_moves_nothing_and_the_leaders_are_all_there_is_to_keep() -> None:
    clusters = Clusters(most=40)
    first = [clusters.of(prompt) for _, prompt in prompts(60)]
    for _, prompt in prompts(200, seed=6):
        clusters.of(prompt)
    again = Clusters(clusters.led, most=40)
    assert [again.of(prompt) for _, prompt in prompts(60)] == first
    assert len(again.names()) <= 40
    assert set(first) <= set(again.names())


def test_a_fifth_of_the_clusters_is_reserved_and_of_no_kind_all_of_them() -> None:
    clusters = Clusters()
    kinds: dict[str, list[bool]] = defaultdict(list)
    drift = [(f"{s.intent}/{s.lang}", asked(list(s.messages))) for s in stream(8, "traffic", "drift", 200)]
    for kind, prompt in [*prompts(600), *drift]:
        kinds[kind].append(is_reserved(clusters.of(prompt)))
    ids = list(clusters.names())
    assert 0.17 < sum(map(is_reserved, ids)) / len(ids) <= 0.2
    assert max(sum(found) / len(found) for found in kinds.values()) < 0.7
    assert not any(map(is_reserved, Clusters(clusters.led, reserved=0).names()))
    assert list(Clusters(clusters.led).names()) == ids


def test_a_leader_that_was_purged_keeps_its_cluster_and_what_came_after_keeps_its_place() -> None:
    clusters = Clusters()
    for _, prompt in prompts(200):
        clusters.of(prompt)
    ids = list(clusters.names())
    blank = [one.model_copy(update={"prompt": ""}) if n % 3 == 0 else one for n, one in enumerate(clusters.led)]
    again = Clusters(blank)
    assert list(again.names()) == ids
    assert [again.of(one.prompt) for one in blank if one.prompt] == [one.id for one in blank if one.prompt]
    assert again.of("") == again.of(" ") == Clusters(again.led).of("") not in ids


def test_ids_tell_nothing_without_the_tenants_salt() -> None:
    salted = [Clusters(salt=lambda tenant, key=key: tenant + key).of("when do you open?", "a") for key in ("1", "2")]
    assert len({*salted, Clusters().of("when do you open?", "a")}) == 3
