"""Open hostile bundles and watch what runs: `python -m tests.entry_points.bundle_fuzz 1000`.

A process of its own, for an audit hook cannot be taken out again. The hook sees every call of `os.system`, every
process, every `exec` and `eval`, every connection and every file that is opened for writing, whoever calls. Prints how
many bundles were refused, how many opened, and the sentences by their number.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

# Puts Ultralytics' settings into a folder of its own.
from tests.conftest import ROOT
from yolo_cot.plugin.bundle import read, write

CANARY = "it_ran"
WATCHED = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen", "exec", "compile")
WATCHED += ("socket.connect", "os.remove", "os.rename", "os.mkdir", "shutil.", "ctypes.", "pickle.find_class", "import")

CODE = st.sampled_from(
    [
        f"open('{CANARY}', 'w').close()",
        f"__import__('os').system('touch {CANARY}')",
        f"(lambda: open('{CANARY}', 'w').close())()",
        f"nn.SiLU() if open('{CANARY}', 'w') else 0",
        f"!!python/object/apply:os.system ['touch {CANARY}']",
        "torch.hub.load('x', 'y')",
        "os.system",
        "../../../etc/passwd",
        "nn.Module.__subclasses__()",
        "evil_module.Block",
        "{{7*7}}",
        "\x00",
        "\x1b]0;title\x07\x1b[31m",
    ]
)
LAYERS = ["Conv", "C3k2", "CoTAttention", "C3k2CoT", "nn.Upsample", "SPPF", "C2PSA", "AIFI", "HGBlock", "RTDETRDecoder"]
FOREIGN = ["DetectionModel", "ClassificationModel", "TorchVision", "Ensemble", "torch_safe_load", "check_requirements"]
FOREIGN += ["eval", "exec", "nn.Module", "nn.Sequential", "nn.modules.activation.os", "torchvision.ops.DeformConv2d"]
NAMES = st.sampled_from([*LAYERS, *FOREIGN, "evil_module.Block", "Detect"])
NUMBERS = st.one_of(
    st.integers(-3, 70000),
    st.sampled_from([10**9, -1, 0, 2**63, 10**30, 10**400]),
    st.floats(width=32),
    st.sampled_from([float("nan"), float("inf"), 1e308]),
)
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, CODE, NAMES, st.text(max_size=20))
ANY = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(CODE, NAMES), inner, max_size=3)),
    max_leaves=12,
)
INNER = {"nc": 1, "activation": f"open('{CANARY}', 'w')", "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": []}
GIVEN = st.one_of(st.sampled_from([8, 16, 3, 1, 2, 0.5, "nearest", True, None]), PLAIN, st.just(INNER))
ROWS = st.one_of(
    ANY,
    st.tuples(st.one_of(NUMBERS, st.lists(NUMBERS, max_size=3)), NUMBERS, NAMES, ANY).map(list),
    *[st.tuples(st.just(-1), st.integers(1, 2), NAMES, st.lists(GIVEN, max_size=3)).map(list)] * 4,
)
KEYS = ["nc", "scales", "scale", "activation", "kpt_shape", "reg_max", "end2end", "backbone", "head", "yaml_file"]
KEYS += ["depth_multiple", "width_multiple", "channels", "blocks", "loss", "__class__"]
ABOUT = ["task", "names", "channels", "class_branch", "train_args", "versions", "eval"]
PATHS = ["../x", "/etc/passwd", "a/../../b", "model.yaml"]


@st.composite
def edits(draw: Any) -> tuple[str, Any]:
    """A change of a good bundle: which, and with what."""
    kind = draw(st.sampled_from(["row", "row", "row", "model", "model", "about", "raw", "weights", "link", "args"]))
    if kind == "row":
        part = draw(st.sampled_from(["backbone", "head"]))
        return kind, (part, draw(st.integers(0, 3)), draw(st.booleans()), draw(ROWS))
    if kind == "model":
        return kind, (draw(st.sampled_from(KEYS)), draw(st.one_of(ANY, st.lists(ROWS, max_size=3))))
    if kind == "about":
        return kind, (draw(st.sampled_from(ABOUT)), draw(ANY))
    if kind == "args":
        return kind, draw(st.dictionaries(st.sampled_from(["data", "model", "cfg", "imgsz", "project", "task"]), ANY))
    if kind == "raw":
        texts = [
            "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
            "[" * 300,
            "a: " + "x" * (1 << 21),
            "- !!python/name:os.system",
            "channels: 0x" + "f" * 5000,
        ]
        texts += [
            "!!python/object/new:os.system [touch it_ran]",
            "<<: {a: 1}\n",
            "? [a]\n: b\n",
            "a: 2001-13-45",
            "--- 1\n--- 2",
        ]
        return kind, (
            draw(st.sampled_from(["model.yaml", "about.yaml"])),
            draw(st.one_of(st.sampled_from(texts), st.text())),
        )
    if kind == "link":
        return kind, (
            draw(st.sampled_from(["model.yaml", "about.yaml", "weights.safetensors"])),
            draw(st.sampled_from(PATHS)),
        )
    return kind, (
        draw(st.integers(0, 400)),
        draw(st.sampled_from(["nan", "shape", "type", "gone", "more", "raw", "path"])),
    )


def apply(folder: Path, change: tuple[str, Any], good: dict[str, Any]) -> None:
    """Make the change to a copy of the good bundle."""
    kind, what = change
    for name in ("model", "about"):
        content = yaml.safe_load(yaml.safe_dump(good[name]))
        if name == kind:
            content[what[0]] = what[1]
        elif kind == "row" and name == "model":
            part, place, instead, row = what
            content[part][place : place + instead] = [row]
        elif kind == "args" and name == "about":
            content["train_args"] = what
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    if kind == "raw":
        (folder / what[0]).write_text(what[1], encoding="utf-8", errors="surrogatepass")
    if kind == "link":
        (folder / what[0]).unlink()
        (folder / what[0]).symlink_to(what[1])
    if kind == "weights":
        state = dict(good["weights"])
        name = sorted(state)[what[0] % len(state)]
        if what[1] == "raw":
            (folder / "weights.safetensors").write_bytes(b"\xff" * 100 + name.encode())
            return
        if what[1] == "nan":
            state[name] = torch.full_like(state[name].float(), float("nan"))
        elif what[1] == "shape":
            state[name] = torch.zeros(3, 1)
        elif what[1] == "type":
            state[name] = state[name].to(torch.int8)
        elif what[1] == "gone":
            del state[name]
        else:
            state["../../" + name if what[1] == "path" else "more"] = torch.zeros(1)
        save_file(state, folder / "weights.safetensors")


class Watch:
    """The audit hook; silent while it is not armed."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self.event)

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Remember an event that a bundle must not cause."""
        if not self.armed:
            return
        if name == "open":
            mode, flags = arguments[1], arguments[2]
            writes = isinstance(mode, str) and set(mode) & set("wax+")
            if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                self.seen.append(f"open {arguments[0]} {mode}")
        elif name.startswith(WATCHED):
            self.seen.append(f"{name} {str(arguments)[:200]}")


def main(count: int) -> None:
    """Open `count` hostile bundles; an assertion fails at the first that runs anything or says more than a sentence."""
    place = Path(tempfile.mkdtemp(prefix="yolo-cot-fuzz-"))
    os.chdir(place)
    (place / "evil_module.py").write_text(f"open({CANARY!r}, 'w').close()\n")
    sys.path.insert(0, str(place))
    source = write(ROOT / "tests" / "data" / "tiny-checkpoint.pt", place / "good.bundle")
    good = {name: yaml.safe_load((source / f"{name}.yaml").read_text()) for name in ("model", "about")}
    good["weights"] = load_file(source / "weights.safetensors")
    folder, watch, ends = place / "x.bundle", Watch(), Counter[str]()
    read(source)  # what is imported late is imported now

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(edits())
    def hostile(change: tuple[str, Any]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        apply(folder, change, good)
        watch.seen.clear()
        watch.armed = True
        try:
            model = read(folder)
            watch.armed = False
            assert str(model.args.get("data")) == "None"
            ends["opened"] += 1
        except (ValueError, FileNotFoundError) as error:
            watch.armed = False
            said = str(error)
            assert said.isprintable(), said
            assert 20 < len(said) < 700, said
            ends[re.sub(r"row \d+|'.*|\d+|: .*", "…", said.replace(str(folder), "x"))[:70]] += 1
        finally:
            watch.armed = False
        assert not watch.seen, watch.seen[:3]
        assert not (place / CANARY).exists()

    hostile()
    # So that the watch can fail.
    watch.armed = True
    eval("1 + 1")
    watch.armed = False
    assert watch.seen
    shutil.rmtree(place)
    print("ends: " + json.dumps(dict(ends.most_common())))


if __name__ == "__main__":
    main(int(sys.argv[1]))
