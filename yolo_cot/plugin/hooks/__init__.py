"""What else Ultralytics must know, beside the parser.

Each hook is a function that installs it and returns the function that takes it out again, or None where Ultralytics has
not got far enough in importing itself; such a hook is tried again at the next call of `install`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..undo import Undo
from .bundles import patch_bundle_loading
from .checkpoint_blocks import checkpoint_blocks
from .command_line import command_children
from .config_yaml import config_lookup, wrong_names
from .damaged import damaged_files
from .data_yaml import data_lookup
from .ddp import ddp_children
from .export_format import export_format
from .flop_count import flops
from .fuse import patch_fuse
from .gate_callbacks import gate_log
from .gate_optimizer import gate_group, gate_lr_argument
from .head_task import task_of_heads
from .model_init import patch_model_init
from .own_blocks import own_blocks
from .safe_load import safe_globals
from .weights import load_weights

HOOKS: tuple[Callable[[], Undo | None], ...] = (
    config_lookup,
    wrong_names,
    own_blocks,
    data_lookup,
    task_of_heads,
    patch_model_init,
    load_weights,
    patch_fuse,
    flops,
    ddp_children,
    command_children,
    safe_globals,
    damaged_files,
    checkpoint_blocks,
    gate_lr_argument,
    gate_group,
    patch_bundle_loading,
    gate_log,
    export_format,
)
