"""The `yolo-cot` command: our verbs, and everything else exactly as `yolo` takes it, with the blocks known."""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType

import yolo_cot

from .commands.argument_tables import print_help
from .commands.arguments import read

# Verb -> module with `main(overrides)`, and what it does. Imported only when called.
VERBS: dict[str, tuple[str, str]] = {
    "models": ("yolo_cot.commands.models", "list the configs with parameters and GFLOPs per scale"),
    "show": ("yolo_cot.commands.show", "print a model's rows beside its base's: model=..."),
    "bench": ("yolo_cot.commands.bench", "measure the blocks, or whole models: model=..."),
    "ablate": (
        "yolo_cot.commands.ablate",
        "train models with several seeds, tell gain from noise: models=... data=",
    ),
    "curve": ("yolo_cot.commands.curve", "plot accuracy against time of checkpoints: models=a.pt,b.pt data=..."),
    "attention": ("yolo_cot.commands.attention", "show what each block looks at: model=best.pt source=image.jpg"),
    "insert": ("yolo_cot.commands.insert", "insert a block into any model YAML: base=... block=... at=... out=..."),
    "lint": ("yolo_cot.commands.lint", "find the faults of a model YAML: model=..."),
    "enable": ("yolo_cot.commands.enable", "make the plain yolo command of this environment know the blocks"),
    "disable": ("yolo_cot.commands.disable", "take that out again"),
    "checks": ("yolo_cot.commands.checks", "which Ultralytics is used, and whether everything is in place"),
    "convert": ("yolo_cot.commands.convert", "take the authors' weights of CoTNet or VOLO: weights=... model=..."),
    "bundle": ("yolo_cot.commands.bundle", "write a checkpoint as safetensors, YAML and names: model=best.pt"),
}

HELP = {"help", "-h", "--help"}


def main() -> None:
    """Run one of our verbs, or hand over to Ultralytics' own command line."""
    words = sys.argv[1:]
    try:
        if words[:1] != ["checks"]:
            yolo_cot.install()  # importing the package has done so, or raises again why it could not
        if words and words[0] in VERBS:
            module = importlib.import_module(VERBS[words[0]][0])
            if not HELP.isdisjoint(words[1:]):
                _print_verb(words[0], module)
            elif hasattr(module, "Arguments"):
                module.main(read(module.Arguments, words[1:]))
            else:
                module.main(arguments(words[1:]))
            return
        _print_help(words)
        from ultralytics.cfg import entrypoint

        # Ultralytics saves what it predicts only under a command of this name.
        sys.argv[0] = "yolo"
        entrypoint()
    except (ValueError, TypeError, FileNotFoundError, ImportError, SyntaxError) as error:
        if "--traceback" in words or not str(error):
            raise
        sys.exit(f"yolo-cot: {error}")


def arguments(words: list[str]) -> dict[str, object]:
    """Read key=value pairs as Ultralytics does; a single word without `=` is `model`.

    Raises:
        ValueError: a word that is not a pair.
    """
    from ultralytics.cfg import merge_equals_args, parse_key_value_pair

    pairs: dict[str, object] = {}
    for word in merge_equals_args(words):
        if "=" not in word:
            if "model" in pairs:
                raise ValueError(f"yolo-cot needs arguments as key=value; got '{word}'.")
            pairs["model"] = word
            continue
        key, value = parse_key_value_pair(word)
        pairs[key] = value
    return pairs


def _print_help(words: list[str]) -> None:
    if words and words[0] not in HELP:
        return
    print("yolo-cot takes everything that yolo takes, and:")
    for verb, (_, what) in VERBS.items():
        print(f"  yolo-cot {verb:<9} {what}")
    print("yolo-cot VERB help names the arguments of one.")


def _print_verb(verb: str, module: ModuleType) -> None:
    """What a verb does, and its arguments."""
    if hasattr(module, "Arguments"):
        print_help(VERBS[verb][1], module.Arguments)
        return
    _, named, arguments = (inspect.getdoc(module.main) or "").partition("overrides: ")
    text = f"{inspect.getdoc(module)}\n"
    if named:
        text += f"\nArguments, as key=value: {arguments.partition('Raises:')[0].strip()}\n"
    print(text.replace("`", "").replace("\n        ", "\n    "), end="")
