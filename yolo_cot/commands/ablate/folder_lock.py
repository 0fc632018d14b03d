"""One ablation at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make the folder, and keep other ablations out of it; the system opens the lock when this process ends.

    Raises:
        ValueError: another ablation is at work in the folder, or its file system knows no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another yolo-cot ablate is at work in {folder}. Wait for it, or use another project=."
        ) from None
    except NotImplementedError as error:
        raise ValueError(f"{folder} cannot be locked ({error}). Use a project= on another disk.") from error
    try:
        yield
    finally:
        lock.release()
