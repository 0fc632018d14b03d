"""YAML of a stranger: plain values, nested no deeper and with no larger numbers than a model has."""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml

# The most of a whole number that can be read, and of any number that a model YAML needs.
MOST_BITS, MOST_NUMBER = 64, 65536


class Alias(NamedTuple):
    """Where a YAML alias stands: the character, and the line counted from 1."""

    name: str
    position: int
    line: int


class BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which stops before nesting exhausts the stack, and keeps where aliases stand.

    Args:
        text: the YAML.
        most_depth: how deep it may be nested.
    """

    def __init__(self, text: str, most_depth: int) -> None:
        super().__init__(text)
        self.most_depth, self.depth = most_depth, 0
        self.aliases: list[Alias] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, and note it if it is an alias; the alias itself stands for what was composed before."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            self.aliases.append(Alias(event.anchor, event.start_mark.index, event.start_mark.line + 1))
        self.depth += 1
        if self.depth > self.most_depth:
            raise yaml.YAMLError(f"it is nested more than {self.most_depth} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number of a size that can be printed and compared with others."""
        number = super().construct_yaml_int(node)
        if (bits := number.bit_length()) > MOST_BITS:
            raise yaml.YAMLError(f"it has a whole number of {bits} bits")
        return number

    def document(self) -> tuple[yaml.Node | None, Any]:
        """The root of the nodes, and what they say; None for an empty text."""
        root = self.get_single_node()
        return root, None if root is None else self.construct_document(root)


BoundedLoader.add_constructor("tag:yaml.org,2002:int", BoundedLoader.construct_yaml_int)


def is_number(value: Any, most: float = MOST_NUMBER, whole: bool = False) -> bool:
    """Whether a value is a number of a size that a model YAML has; with `whole`, an int."""
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) <= most
