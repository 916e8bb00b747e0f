"""YAML that people write by hand: PyYAML's safe loader, but a key that is given twice is an error.

The loader itself lets the later one win; ruamel.yaml refuses, for another dependency.
"""

from __future__ import annotations

from typing import Any

import yaml


class _Strict(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key `{key.value}` is given twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return node


def load_yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        yaml.YAMLError: it is none, a mapping holds a key twice, or it is nested too deeply.
    """
    try:
        return yaml.load(text, Loader=_Strict)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
