"""Put lint, insert and show to hostile YAMLs and watch what runs: `python -m tests.yaml_edit.yaml_fuzz 1000`.

A process of its own, for an audit hook cannot be taken out again. Prints how the verbs ended, by their sentences.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torchvision  # noqa: F401  (a row that names it imports it)
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.entry_points.bundle_fuzz import ANY, CANARY, CODE, GIVEN, KEYS, NAMES, ROWS, Watch
from yolo_cot.commands import lint as lint_verb
from yolo_cot.commands import show as show_verb
from yolo_cot.yaml_edit.insert import insert

GOOD = """\
nc: 2
scales:
  n: [0.5, 0.5, 128]
backbone:
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 2, C3k2, [64, False, 0.5]]
  - [-1, 1, Conv, [64, 3, 2]]
head:
  - [[-1], 1, Detect, [nc]]
"""
# Changes of the text that no change of the values makes.
RAW = (
    "a: &a [x, x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c, *c, *c]\n",
    "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)).replace("*a0", "x"),
    "a: &a [*a]\n",
    "a: " + "[" * 400,
    "a: " + "{b: " * 200,
    "#" * 300_000 + "\n",
    "!!python/object/apply:os.system [touch it_ran]\n",
    "a: !!python/name:os.system\n",
    "a: 2001-13-45\n",
    "a: !!timestamp x\n",
    "a: !!int ''\n",
    "a: 0x" + "f" * 5000 + "\n",
    "? [a]\n: b\n",
    "<<: {head: [[-1, 1, DetectionModel, [x]]]}\n",
    "--- 1\n--- 2\n",
    "a: '\x85\u2028'\n",
    'a: "\\e[31m\\0"\n',
    "%YAML 9.9\n---\n",
)
SWAPS = (("\n", "\r"), ("[-1", "['-1'"), ("[-1", "[&f -1"), ("32", "&n 32"), ("64", "*n"), ("Conv", "!!str Conv"))
SWAPS += (("Conv", "'[/red]Conv'"), ("C3k2", "TorchVision"), ("[nc]", "*args"), ("nc: 2", "nc: .nan"))
SWAPS += (("3, 2", "3, 1e9"), ("0.5", "1e300"))


# Rows of the right form: what they name and give decides.
LAYERS = st.tuples(st.just(-1), st.integers(1, 3), NAMES, st.lists(GIVEN, max_size=4)).map(list)


@st.composite
def texts(draw: Any) -> str:
    """A model YAML with changes in its rows, its keys or its text."""
    model = yaml.safe_load(GOOD)
    for kind in draw(st.lists(st.sampled_from(["layer", "layer", "layer", "row", "key", "number"]), max_size=3)):
        part = draw(st.sampled_from(["backbone", "head"]))
        if kind in ("row", "layer") and isinstance(model.get(part), list):
            place, instead = draw(st.integers(0, 3)), draw(st.booleans())
            model[part][place : place + instead] = [draw(ROWS if kind == "row" else LAYERS)]
        elif kind == "key":
            model[draw(st.sampled_from(KEYS))] = draw(st.one_of(ANY, CODE, st.lists(ROWS, max_size=3)))
        elif kind == "number" and _has_row(model.get(part)):
            row = model[part][0]
            row[draw(st.integers(0, max(len(row) - 1, 0))) : 4] = draw(st.lists(ANY, max_size=4))
    text = yaml.safe_dump(model, default_flow_style=draw(st.sampled_from([None, True, False])), sort_keys=False)
    text = draw(st.sampled_from([text, text, text, GOOD]))
    for old, new in draw(st.one_of(st.just([]), st.just([]), st.lists(st.sampled_from(SWAPS), max_size=2))):
        text = text.replace(old, new)
    raw = draw(st.one_of(*[st.just("")] * 8, st.sampled_from(RAW), st.text(max_size=30)))
    return raw + text if draw(st.booleans()) else text + raw


def _has_row(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and isinstance(part[0], list)


class Quiet(Watch):
    """The watch of the bundles, but for `compile`: reading a literal compiles it, and running one is told as `exec`."""

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Remember an event that a YAML must not cause."""
        if name != "compile":
            super().event(name, arguments)


def verbs(path: Path) -> dict[str, Any]:
    """What is put to each YAML."""
    return {
        "lint": lambda: lint_verb.main(lint_verb.Arguments(model=(str(path),))),
        "insert": lambda: insert(path, block="CoTAttention", at="0,before=Detect", arguments={"gate": 0.0}),
        "replace": lambda: insert(path, replace="C3k2:C3k2CoT"),
        "show": lambda: show_verb.main({"model": str(path), "imgsz": 32}),
    }


def main(count: int) -> None:
    """Put the verbs to `count` YAMLs; an assertion fails where anything runs or more than sentences is said."""
    place = Path(tempfile.mkdtemp(prefix="yolo-cot-fuzz-"))
    os.chdir(place)
    (place / "evil_module.py").write_text(f"open({CANARY!r}, 'w').close()\n")
    (place / "x").write_text(GOOD.replace("nc: 2", f"nc: 2\nactivation: open({CANARY!r}, 'w') and nn.SiLU()"))
    sys.path.insert(0, str(place))
    path, watch, ends = place / "mine.yaml", Quiet(), Counter[str]()

    def run(text: str) -> None:
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        for name, verb in verbs(path).items():
            watch.seen.clear()
            watch.armed = True
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    verb()
                watch.armed = False
                ends[f"{name} done"] += 1
            except (ValueError, FileNotFoundError) as error:
                watch.armed = False
                lines = str(error).splitlines()
                assert name == "lint" or len(lines) == 1, lines
                assert all(8 < len(line) < 2500 for line in lines), lines
                ends[f"{name}: " + re.sub(r"row \d+|'.*|\d+|: .*", "…", lines[-1].replace(str(path), "x"))[:50]] += 1
            finally:
                watch.armed = False
            assert not watch.seen, watch.seen[:3]
            assert not (place / CANARY).exists()

    for verb in verbs(path).values():  # what is imported late is imported now
        path.write_text(GOOD, encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()):
            verb()
    for raw in RAW:
        run(raw + GOOD)
        run(GOOD + raw)
    hostile = given(texts())(run)
    checks = list(HealthCheck)
    settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=checks)(
        hostile
    )()
    # So that the watch can fail.
    watch.armed = True
    eval("1 + 1")
    watch.armed = False
    assert watch.seen
    shutil.rmtree(place)
    print("ends: " + json.dumps(dict(ends.most_common())))


if __name__ == "__main__":
    main(int(sys.argv[1]))
