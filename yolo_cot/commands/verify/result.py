"""What came out for one format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AGREES, DISAGREES, CONVERTS, FAILED, ABSENT = "agrees", "disagrees", "converts", "failed", "not here"
BAD = (DISAGREES, FAILED)
NAN = float("nan")


@dataclass(frozen=True)
class Result:
    """One row of the table; numbers that were not measured are NaN.

    Attributes:
        format: its name.
        verdict: one of the words above.
        error: the largest error against PyTorch, relative.
        error_plain: that of the plain model in this format.
        map: mAP50-95 (or top-1 accuracy) in this format.
        ratio: time of the model in times of the plain model, median of the rounds.
        ratio_low: the lower quartile of that ratio.
        ratio_high: the upper quartile.
        milliseconds: median time of a picture.
        megabytes: size of the file.
        note: what there is to say.
    """

    format: str
    verdict: str
    error: float = NAN
    error_plain: float = NAN
    map: float = NAN
    ratio: float = NAN
    ratio_low: float = NAN
    ratio_high: float = NAN
    milliseconds: float = NAN
    megabytes: float = NAN
    note: str = ""


def judged(name: str, found: Mapping[str, Any], precision: str, tolerance: float, plain_name: str) -> Result:
    """The verdict on what a format's process has found.

    Args:
        name: the format.
        found: what the process has written, see `worker`.
        precision: 32, 16 or 8.
        tolerance: of float32.
        plain_name: what the plain model is called.
    """
    note = str(found.get("note", ""))
    numbers = {key: found[key] for key in Result.__dataclass_fields__ if isinstance(found.get(key), float)}
    if "failed" in found:
        if found.get("plain_fails"):
            return Result(name, ABSENT, **numbers, note=f"{found['failed']} Plain {plain_name} fails here, too.")
        also = f" Plain {plain_name} does not." if "plain_fails" in found else ""
        return Result(name, FAILED, **numbers, note=f"{found['failed']}{also}{note and ' ' + note}")
    if "error" not in found:
        return Result(name, CONVERTS, **numbers, note=note)
    # Half precision is as exact as the plain model is in it; integers are judged by what they find (`map`).
    allowed = max(tolerance, 2 * found.get("error_plain", 0.0)) if precision == "16" else tolerance
    good = precision == "8" or found["error"] <= allowed
    if not good:
        note = f"{found['error']:.1e} is more than {allowed:.1e}.{note and ' ' + note}"
    return Result(name, AGREES if good else DISAGREES, **numbers, note=note)
