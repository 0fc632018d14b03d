"""What else Ultralytics must know, beside the parser.

Each hook is a function that installs it and returns the function that takes it out again, or None where Ultralytics has
not got far enough in importing itself; such a hook is tried again at the next call of `install`.
"""

from __future__ import annotations

from collections.abc import Callable

from .checkpoints import damaged_files, safe_globals
from .deploying import flops, fusing
from .faults import building
from .gates import gate_log
from .loading import install as loading
from .lookup import config_lookup, data_lookup, task_of_heads
from .opening import bundles
from .processes import command_children, ddp_children
from .undo import Undo

HOOKS: tuple[Callable[[], Undo | None], ...] = (
    config_lookup,
    data_lookup,
    task_of_heads,
    building,
    loading,
    fusing,
    flops,
    ddp_children,
    command_children,
    safe_globals,
    damaged_files,
    bundles,
    gate_log,
)
