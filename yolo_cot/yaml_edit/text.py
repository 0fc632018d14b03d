"""A model YAML as text with its rows in place: indices, names and whole rows change, everything else stays as typed.

Loading and dumping a YAML loses its comments and its layout, and with them what its author wanted to say. Here every
change is an edit at the position that PyYAML reports for a row, a `from` index or a module name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from .reading import SECTIONS, brief, parse

# What YAML takes for the end of a line.
_BREAKS = "\n\r\x85\u2028\u2029"


@dataclass(frozen=True)
class RowText:
    """Where one row of a model YAML stands in the text: half-open spans of characters.

    Attributes:
        section: "backbone" or "head".
        span: the row from its first to behind its last character, comment not included.
        sources: the numbers of its `from`, one span each.
        module: the module name.
        args: the arguments.
        flow: whether the whole section is one bracketed list rather than dashes.
    """

    section: str
    span: tuple[int, int]
    sources: tuple[tuple[int, int], ...]
    module: tuple[int, int]
    args: tuple[int, int]
    flow: bool


class ModelText:
    """The text of a model YAML, its values, and the edits that are to be made.

    Args:
        text: the YAML.
        name: what to call it in errors, such as its file name.

    Raises:
        ValueError: it is no YAML, or not one with `backbone` and `head` as lists of [from, repeats, module, args].
    """

    def __init__(self, text: str, name: str = "model") -> None:
        self.text, self.name = text.removeprefix("\ufeff"), name
        self.values, root, aliases = parse(self.text, name)
        nodes = {}
        for key, value in root.value:
            nodes[key.value] = value
            if key.value in SECTIONS and value.start_mark.index < key.start_mark.index:
                raise ValueError(f"{name} takes its {key.value} from a YAML alias; write it out.")
        # An edit of what an alias stands for would change every place where it is used.
        for alias in aliases:
            if any(nodes[s].start_mark.index <= alias.position < nodes[s].end_mark.index for s in SECTIONS):
                at = f"{name} line {alias.line}: a row has the YAML alias *{brief(alias.name)}"
                raise ValueError(f"{at}; write out what it stands for.")
        self.rows = [self._row(s, i, node, nodes[s]) for s in SECTIONS for i, node in enumerate(nodes[s].value)]
        ends = re.findall(rf"\r\n|[{_BREAKS}]", self.text)
        self.newline = max(sorted(set(ends)), key=ends.count, default="\n")
        self._edits: list[tuple[int, int, str]] = []

    def _row(self, section: str, i: int, node: yaml.Node, parent: yaml.SequenceNode) -> RowText:
        if not (
            isinstance(node, yaml.SequenceNode)
            and len(node.value) == 4
            and isinstance(node.value[2], yaml.ScalarNode)
            and isinstance(node.value[3], yaml.SequenceNode)
        ):
            got = brief(self.text[node.start_mark.index : node.end_mark.index])
            raise ValueError(f"{self.name} {section} row {i} must be [from, repeats, module, [args]]; got {got}.")
        read = node.value[0].value if isinstance(node.value[0], yaml.SequenceNode) else [node.value[0]]
        if not all(n.tag.endswith(":int") and re.fullmatch(r"[-+]?\d+", n.value) for n in read):
            got = brief(self.text[node.value[0].start_mark.index : node.value[0].end_mark.index])
            at = f"{self.name} {section} row {i}"
            raise ValueError(f"{at}: 'from' must be a whole number, not quoted, or a list of them; got {got}.")
        return RowText(
            section,
            self._span(node),
            tuple(self._span(n) for n in read),
            self._span(node.value[2]),
            self._span(node.value[3]),
            bool(parent.flow_style),
        )

    def _span(self, node: yaml.Node) -> tuple[int, int]:
        """A node's span; a dashed list ends where the next thing starts, so trim what is not its own."""
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
            end = self._span(node.value[-1])[1]
        return start, end

    def set_source(self, row: int, position: int, value: int) -> None:
        """Change one number of a row's `from`."""
        self._edits.append((*self.rows[row].sources[position], str(value)))

    def set_module(self, row: int, name: str, args: str | None = None) -> None:
        """Change a row's module, and its arguments where a new text for them is given."""
        self._edits.append((*self.rows[row].module, name))
        if args is not None:
            self._edits.append((*self.rows[row].args, args))

    def renumber_comment(self, row: int, new: int) -> None:
        """Follow the row's number where the comment beside it names it: `# 16 (P3/8-small)`, `# X3 (21), …`."""
        end = self.rows[row].span[1]
        line = self.text[end : self._line_end(end)]
        for pattern in (r"#\s*(\d+)\b", r"#[^(]*\((\d+)\)"):
            found = re.search(pattern, line)
            if found and int(found[1]) == row:
                self._edits.append((end + found.start(1), end + found.end(1), str(new)))

    def insert(self, row: int, new: Mapping[int, str], before: bool = False) -> None:
        """Put new rows, {number: text}, behind an existing one or ahead of it, in its section and layout."""
        new_rows = list(new.values())
        place = self.rows[row]
        start, end = place.span
        if not place.flow:
            dash = self.text.rfind("-", 0, start)
            line_start = self._line_start(dash)
            lines = [f"{self.text[line_start : dash + 1]} {text} # {number}" for number, text in new.items()]
            if before:
                self._edits.append((line_start, line_start, "".join(line + self.newline for line in lines)))
            else:
                at = self._line_end(end)
                self._edits.append((at, at, "".join(self.newline + line for line in lines)))
            return
        prefix = self.text[self._line_start(start) : start]
        if before:
            self._edits.append((start, start, "".join(f"{new}, " for new in new_rows)))
            return
        line_end = self._line_end(end)
        rest = self.text[end:line_end]
        if re.search(r"[\[\]]", rest.split("#")[0]) or prefix.strip(" \t["):
            self._edits.append((end, end, "".join(f", {new}" for new in new_rows)))  # the line holds other rows too
            return
        pad = self.newline + " " * len(prefix)
        body = f",{pad}".join(new_rows)
        if re.match(r"[ \t]*,", rest):
            self._edits.append((line_end, line_end, f"{pad}{body},"))
        elif line_end == end:
            self._edits.append((end, end, f",{pad}{body}"))
        else:
            self._edits += [(end, end, ","), (line_end, line_end, f"{pad}{body}")]

    def _line_start(self, position: int) -> int:
        return max(self.text.rfind(end, 0, position) for end in _BREAKS) + 1

    def _line_end(self, position: int) -> int:
        ends = (self.text.find(end, position) for end in _BREAKS)
        return min((end for end in ends if end >= 0), default=len(self.text))

    def edited(self, header: Sequence[str] = ()) -> str:
        """The text with all edits made, under new comment lines."""
        text = self.text
        for start, end, new in sorted(self._edits, reverse=True):
            text = text[:start] + new + text[end:]
        lines = [f"# {line}".rstrip() for line in header]
        return "".join(line + self.newline for line in lines) + (self.newline if lines else "") + text
