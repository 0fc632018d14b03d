"""The verbs of `yolo-cot` that are ours: a module of this folder for each, imported only when it is called."""

from __future__ import annotations

import importlib
from types import ModuleType

# Verb -> what it does. Each is a module with `Arguments` and `main(arguments)`.
VERBS = {
    "models": "list the configs with parameters and GFLOPs per scale",
    "show": "print a model's rows beside its base's, and draw its graph",
    "insert": "insert a block into any model YAML",
    "lint": "find the faults of a model YAML",
    "attention": "show what each block looks at",
    "ablate": "train models with several seeds, tell gain from noise",
    "curve": "plot accuracy against time of checkpoints",
    "verify": "export to every format, run the files, compare them with PyTorch",
    "bench": "measure the blocks, or whole models",
    "convert": "take the authors' weights of CoTNet or VOLO",
    "bundle": "write a checkpoint as safetensors, YAML and names, without a pickle",
    "checks": "which Ultralytics is used, and whether everything is in place",
    "enable": "make the plain yolo command of this environment know the blocks",
    "disable": "take that out again",
    "completion": "print the completion of verbs and arguments for bash, zsh or fish",
}


def load(verb: str) -> ModuleType:
    """The module of a verb."""
    return importlib.import_module(f"{__package__}.{verb}")
