"""Which neighbours of a pixel a local mix reads."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Which neighbours are mixed: rows `top` ... `top + height - 1` and columns `left` ... from the pixel itself."""

    top: int
    left: int
    height: int
    width: int

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Zeros that the map needs on its left, right, top and bottom, as `F.pad` takes them."""
        right, bottom = self.left + self.width - 1, self.top + self.height - 1
        return max(0, -self.left), max(0, right), max(0, -self.top), max(0, bottom)

    @property
    def taps(self) -> int:
        """Number of neighbours."""
        return self.height * self.width

    @property
    def mirrored(self) -> Window:
        """The pixels whose window holds this pixel. Tap n of it is tap `taps - 1 - n` of theirs."""
        return Window(-(self.top + self.height - 1), -(self.left + self.width - 1), self.height, self.width)

    def row(self, i: int) -> int:
        """First row of the padded map that the window's row `i` reads."""
        return max(0, -self.top) + self.top + i

    def column(self, j: int) -> int:
        """First column of the padded map that the window's column `j` reads."""
        return max(0, -self.left) + self.left + j


def square(kernel_size: int) -> Window:
    """The centred k x k window."""
    return Window(-(kernel_size // 2), -(kernel_size // 2), kernel_size, kernel_size)


def cut(start: int, surplus: int) -> slice:
    """What stays of an axis that is `surplus` too long, from `start` on.

    Both ends are constants whatever the size of the map, which keeps recorded graphs free of arithmetic on shapes.
    """
    return slice(start, start - surplus or None)
