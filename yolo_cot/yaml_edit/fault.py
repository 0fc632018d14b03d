"""One fault of a model YAML."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plugin.row_errors import one_line


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong, where, and what to do.

    Attributes:
        order: the row, or -1 for a fault of the whole file; faults sort by it.
        what: the rule and what arrived.
        remedy: what to do.
        module: the row's module, "" for the whole file.
        source: position in the row's `from` that is to blame, None if it is none.
    """

    order: int
    what: str
    remedy: str
    module: str = ""
    source: int | None = field(default=None, compare=False)

    @property
    def row(self) -> int | None:
        """The row's number, None for a fault of the whole file."""
        return None if self.order < 0 else self.order

    def __str__(self) -> str:
        where = "file" if self.row is None else f"row {self.row} ({self.module})" if self.module else f"row {self.row}"
        return one_line(f"{where}: {self.what} {self.remedy}".rstrip(), 600)
