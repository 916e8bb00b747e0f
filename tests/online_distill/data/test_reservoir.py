"""What outlives rounds: bounded, the same however often it is kept, gone with a purge, and damage is no end."""

from __future__ import annotations

import json
from pathlib import Path

from feedback.pool.general import is_general
from feedback.privacy.vault import Vault
from online_distill.data.clusters import Clusters
from online_distill.data.config import DataConfig
from online_distill.data.reservoir import REPLAY, Reservoir, load_reservoir
from online_distill.data.rows import Row
from online_distill.data.selecting import Material, is_held_out, select
from tests.online_distill.world import make_samples

CONFIG = DataConfig(holdout_general=5, holdout_hard=4, reserved_clusters=0)


def rows(n: int, role: str = "anchor", start: int = 0) -> list[Row]:
    samples = make_samples(n, start=start)
    return [Row.of(s, role, parent="v1", cluster=f"c{i % 5}") for i, s in enumerate(samples)]  # type: ignore[arg-type]


def test_rows_are_kept_within_bounds_and_keeping_them_again_changes_nothing(tmp_path: Path) -> None:
    reservoir = Reservoir()
    reservoir.clusters.of("a prompt")
    reservoir.keep([*rows(300), *rows(300, "hard", 1000)], CONFIG)
    judged = [row for row in reservoir.general() if is_held_out(row.exchange, row.cluster, CONFIG)]
    assert len(judged) == 15
    assert all(is_general(row.exchange) for row in judged)
    assert len(reservoir.hard()) == 12
    assert all(is_held_out(row.exchange, row.cluster, CONFIG) for row in reservoir.hard())
    assert len(reservoir.general()) > 200
    assert {row.why for row in reservoir.rows} == {"kept"}
    before = list(reservoir.rows)
    reservoir.keep(rows(300), CONFIG)
    assert reservoir.rows == before
    reservoir.save(tmp_path / "kept" / "reservoir.jsonl")
    again = load_reservoir(tmp_path / "kept" / "reservoir.jsonl")
    assert (again.rows, list(again.clusters.names().values()), again.anew) == (before, ["a prompt"], False)


def test_replay_is_kept_up_to_six_thousand_rows_and_a_quiet_cluster_stays_whole() -> None:
    plain, found = rows(1)[0], list[Row]()
    for i in range(9_000):
        ask = [{"role": "user", "content": f"Question {i}?"}]
        found.append(plain.model_copy(update={"id": f"r{i}", "exchange": f"r{i}", "messages": ask, "cluster": "loud"}))
    quiet = {row.id for row in found[::300]}
    found = [row.model_copy(update={"cluster": "quiet"}) if row.id in quiet else row for row in found]
    free = [row.id for row in found if not is_held_out(row.exchange, row.cluster, CONFIG)]
    assert len(free) > REPLAY == 6000
    reservoir = Reservoir()
    reservoir.keep(found, CONFIG)
    kept = {row.id for row in reservoir.rows if not is_held_out(row.exchange, row.cluster, CONFIG)}
    assert len(kept) == REPLAY
    assert quiet & set(free) <= kept


def test_leaders_of_the_release_before_keep_their_clusters_and_are_sealed_from_then_on(tmp_path: Path) -> None:
    path, vault = tmp_path / "kept" / "reservoir.jsonl", Vault(tmp_path / "keys")
    prompts = ["where is my parcel with the lamp?", "我想要退货并且退款", "which bank is yours?"]
    former = Clusters(reserved=0.5)
    ids = [former.of(prompt) for prompt in prompts]
    path.parent.mkdir()
    path.write_text(json.dumps({"schema_version": 1, "leaders": prompts, "owners": ["acme", "other"]}) + "\n")
    found = load_reservoir(path, 0.5, vault)
    assert list(found.clusters.names()) == ids
    assert [one.tenant for one in found.clusters.led] == ["acme", "other", "default"]
    found.clusters.of("could somebody call me a taxi?", "acme", 9.0)
    found.save(path, vault)
    assert not any(word in path.read_text() for word in ("parcel", "退货", "\\u9000", "bank", "taxi"))
    again = load_reservoir(path, 0.5, vault)
    assert again.clusters.led == found.clusters.led
    vault.keys.destroy("acme", 100.0)
    after = load_reservoir(path, 0.5, vault)
    assert list(after.clusters.names()) == list(found.clusters.names())
    assert [bool(prompt) for prompt in after.clusters.names().values()] == [False, True, True, False]
    found.save(path, vault)  # by a trainer that had read it before the purge
    assert load_reservoir(path, 0.5, vault).clusters.led == after.clusters.led


def test_lines_are_lines_whatever_the_text_holds(tmp_path: Path) -> None:
    reservoir = Reservoir()
    reservoir.keep([row.model_copy(update={"teacher_text": "one\u2028two\x85three"}) for row in rows(20)], CONFIG)
    reservoir.save(tmp_path / "r.jsonl")
    assert load_reservoir(tmp_path / "r.jsonl").rows == reservoir.rows


def test_a_purged_tenants_rows_go_up_to_the_time_of_the_purge() -> None:
    reservoir = Reservoir(rows=rows(10))
    reservoir.forget({"default": 4.0, "other": 99.0})
    assert [row.at for row in reservoir.rows] == [5.0, 6.0, 7.0, 8.0, 9.0]


def test_a_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "reservoir.jsonl"
    assert load_reservoir(path).anew is False
    path.write_text('{"schema_version": 1, "leaders": []}\n{"id": "cut o')
    found = load_reservoir(path)
    assert (found.anew, found.rows) == (True, [])
    assert path.with_suffix(".damaged").is_file()
    assert not path.exists()


def test_what_was_judged_is_judged_again_while_traffic_grows_so_that_small_losses_can_add_up_in_sight() -> None:
    config, reservoir = CONFIG.model_copy(update={"holdout_general": 40}), Reservoir()
    judged: list[set[str]] = []
    for number in range(6):
        came = rows(400, start=1000 * number)
        material = Material(fresh=[], old=[], general=[*reservoir.general(), *came])
        chosen = select(material, config, lambda asked: [True] * len(asked))
        reservoir.keep(came, config, judged=chosen.holdout)
        judged.append({row.id for row in chosen.holdout})
    assert all(len(found) == 40 for found in judged)
    assert len(judged[5] & judged[0]) == 40
    again = reservoir.rows
    reservoir.keep(rows(400, start=9000), config)
    assert {row.id for row in reservoir.rows if row.judged} == {row.id for row in again if row.judged} == judged[5]


def test_a_new_kind_gets_its_rows_beside_those_that_were_judged() -> None:
    config, reservoir = CONFIG.model_copy(update={"holdout_general": 40}), Reservoir()
    none = Material(fresh=[], old=[], general=rows(400))
    reservoir.keep(rows(400), config, judged=select(none, config, lambda asked: [True] * len(asked)).holdout)
    new = [row.model_copy(update={"cluster": "new"}) for row in rows(400, start=1000)]
    chosen = select(Material(fresh=[], old=[], general=[*reservoir.general(), *new]), config, lambda asked: [])
    assert sum(row.cluster == "new" for row in chosen.holdout) in {6, 7}  # a sixth: there were five kinds
