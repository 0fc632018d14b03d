"""Pictures whose text shows as it is: names of files and models may hold what matplotlib takes for a formula."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def plain_text(draw: Callable[P, T]) -> Callable[P, T]:
    """Let a function draw no formulas."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}):
            return draw(*args, **kwargs)

    return drawn
