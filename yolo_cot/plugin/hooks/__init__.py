"""What else Ultralytics must know, beside the parser.

Each hook is a function that installs it and returns the function that takes it out again, or None where Ultralytics has
not got far enough in importing itself; such a hook is tried again at the next call of `install`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..undo import Undo
from .bundles import bundles
from .checkpoints import damaged_files, safe_globals
from .errors import building
from .fuse import flops, fusing
from .gate_curves import gate_log
from .gate_optimizer import gate_group, gate_lr_argument
from .processes import command_children, ddp_children
from .weights import install as loading
from .yaml_lookup import config_lookup, data_lookup, task_of_heads

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
    gate_lr_argument,
    gate_group,
    gate_log,
)
