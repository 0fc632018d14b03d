"""What the outcome of a run rests on beside its settings: pictures, labels, class names and weights, as digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...plugin.datasets import Files

# Up to so many bytes the pictures of a split are read whole. Beyond, of each its size and three pieces.
WHOLE = 1 << 28
PIECE = 1 << 14


def digests(files: Files, settings: Mapping[str, Any]) -> dict[str, str]:
    """Digest a data set and the pretrained weights.

    Args:
        files: the files of the data set.
        settings: train arguments of Ultralytics.

    Returns:
        Digests by what they are of, such as "labels of train".
    """
    found = {"class names": sha256("\n".join(files.names).encode())}
    for name, (pictures, labels) in files.splits.items():
        small = sum(file.stat().st_size for file in pictures) <= WHOLE
        found[f"pictures of {name}"] = of_files(pictures, WHOLE if small else PIECE)
        found[f"labels of {name}"] = of_files([file for file in labels if file.is_file()])
    weights = settings.get("pretrained")
    if isinstance(weights, (str, Path)):
        path = Path(weights)
        found["weights"] = of_files(sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path])
    return found


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs, in words."""
    return [f"the {what} have changed" for what in sorted({*before, *now}) if before.get(what) != now.get(what)]


def of_files(files: Sequence[Path], most: int | None = None) -> str:
    """Digest of names, sizes and content.

    Args:
        files: the files; of their paths the last three parts count, so that a data set may move.
        most: of a file that is larger only so many bytes at its start, middle and end are read.
    """
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        digest.update(f"{'/'.join(file.parts[-3:])}\0{size}\0".encode())
        with file.open("rb") as stream:
            if most is None or size <= most:
                while piece := stream.read(1 << 20):
                    digest.update(piece)
            else:
                for place in (0, (size - most) // 2, size - most):
                    stream.seek(place)
                    digest.update(stream.read(most))
    return digest.hexdigest()


def sha256(content: bytes) -> str:
    """Digest of some bytes."""
    return hashlib.sha256(content).hexdigest()
