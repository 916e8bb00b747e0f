"""What a record comes to, flat: the names by which others read the JSON of `understudy bench real`."""

from __future__ import annotations

from typing import Any

THROUGHPUT = "throughput_"


def outline(record: dict[str, Any]) -> dict[str, Any]:
    """`rows`: one for each time at which the student was judged, `general` its agreement there (None where the
    instructions are not on this machine); `ratios` student/teacher, empty before the serving half was taken.
    """
    rows = [
        {"minute": row["minutes"], **marks["dialogues"], "general": marks.get("general", {}).get("agreement")}
        for row in record["rows"]
        if (marks := row.get("marks"))
    ]
    found = (record.get("serving") or {}).get("ratios", {})
    plain = {name: ratio for name, ratio in found.items() if not name.startswith(THROUGHPUT)}
    streams = {name.removeprefix(THROUGHPUT): ratio for name, ratio in found.items() if name.startswith(THROUGHPUT)}
    return {"rows": rows, "ratios": {**plain, "throughput": streams} if found else {}}
