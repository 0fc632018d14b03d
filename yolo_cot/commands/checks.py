"""`yolo-cot checks`: which Ultralytics is used, whether its parser is known, and which blocks and configs there are."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import ultralytics

from .. import __version__
from ..paths import PACKAGE_ROOT, configs
from ..plugin.catalog import BLOCKS
from ..plugin.registration import installed, refusal, tested, untested
from ..plugin.startup.line import enabled, line_file


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """yolo-cot checks"""


def main(arguments: Arguments) -> None:
    """Print the report.

    Raises:
        SystemExit: with status 1 and the reason, where Ultralytics is refused.
    """
    reason = refusal()
    print(f"yolo-cot      {__version__}, {PACKAGE_ROOT / 'yolo_cot'}")
    print(f"ultralytics   {ultralytics.__version__}, {Path(ultralytics.__file__).parent}")
    print(f"tested        {tested()}{'; this one is outside it' if untested() else ''}")
    print(f"torch         {torch.__version__}; Python {sys.version.split()[0]}, {sys.executable}")
    print(f"self-check    {'failed' if reason else 'passed'}; blocks {'' if installed() else 'not '}registered")
    print(f"plain `yolo`  {f'enabled by {line_file()}' if enabled() else 'not enabled; `yolo-cot enable` does it'}")
    print(f"blocks        {', '.join(BLOCKS)}")
    print(f"configs       {', '.join(path.stem for path in configs())}")
    if reason:
        sys.exit(f"yolo-cot: {reason}")
