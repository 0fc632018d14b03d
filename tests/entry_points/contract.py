"""What must hold for any Ultralytics in the declared range. A script, run against the `ultralytics` that is imported.

    python -m tests.entry_points.contract            the contract
    python -m tests.entry_points.contract --sample   the same, with every fifth config
    python -m tests.entry_points.contract --full     and an epoch of training, predict, ONNX export, tuning, two ranks

Each check prints its name and `ok`; the first that fails ends the run with a traceback and status 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.entry_points import tiny
from tests.entry_points.contract_trainings import FULL
from tests.entry_points.two_ranks import needs_cloudpickle
from tests.live import live, output, picture
from tests.processes import python
from tests.tolerances import EXPORTED, distance

torch.set_num_threads(1)


def detection(name, **more):
    from ultralytics.nn.tasks import DetectionModel

    return DetectionModel(name, verbose=False, **more)


def stock_models_are_the_same_to_the_bit(folder):
    import yolo_cot

    def state():
        torch.manual_seed(0)
        model = live(detection("yolo11n.yaml"))
        return [*model.state_dict().values(), output(model, picture(96, 160))]

    with_package = state()
    yolo_cot.uninstall()
    without = state()
    yolo_cot.install()
    assert all(torch.equal(a, b) for a, b in zip(with_package, without))


def every_config_builds_runs_and_folds(folder):
    from yolo_cot.paths import configs

    found = [path for path in configs() if path.stem.startswith("yolo11-")]
    for config in found[:: 5 if "--sample" in sys.argv else 1]:
        for scale in "nm":
            model = detection(f"yolo11{scale}{config.stem.removeprefix('yolo11')}.yaml")
            assert model.model[-1].legacy is False
            if scale == "m":
                continue
            feats = model.train()(torch.rand(1, 3, 64, 64))
            feats = feats.get("one2many", feats) if isinstance(feats, dict) else feats
            feats = [feats["boxes"], feats["scores"]] if isinstance(feats, dict) else feats
            sum(f.float().sum() for f in feats).backward()
            assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
            before = output(live(model), picture(96, 64))
            assert distance(output(model.fuse(verbose=False), picture(96, 64)), before) < EXPORTED


def networks_build_for_their_task(folder):
    from ultralytics import YOLO as Model

    for name in ("cotnet50-cls", "volo-d1-cls", "cotnet50-yolo11", "volo-yolo11"):
        model = Model(f"{name}.yaml")
        assert model.task == ("classify" if name.endswith("-cls") else "detect")
        size = 224 if model.task == "classify" else 64
        with torch.no_grad():
            assert model.model.eval()(torch.rand(1, 3, size, size)) is not None


def composites_count_as_c3k2(folder):
    rows = [[-1, 1, "Conv", [64, 3, 2]], [-1, 2, "C3k2CoT", [128]]]
    head = [[[1], 1, "Detect", ["nc"]]]
    for scale, c3k in (("n", False), ("m", True)):
        scales = {"n": [1.0, 0.25, 1024], "m": [1.0, 1.0, 512]}
        model = detection({"nc": 2, "scales": scales, "scale": scale, "backbone": rows, "head": head})
        assert len(model.model[1].m) == 2
        assert any(type(m).__name__ == "C3k" for m in model.model[1].m) == c3k


def wrong_rows_are_told(folder):
    file = folder / "yolo11-wrong.yaml"
    file.write_text("nc: 1\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 1, CoTAttention, [64]]\nhead: []\n")
    with pytest.raises(ValueError, match=r"yolo11-wrong.yaml row 1: CoTAttention takes its channels from its input"):
        detection(str(file))


def configs_are_found(folder):
    detection("yolo11s-cot.yaml")
    for place in ("run2x", "2nd", "plain"):
        (folder / place).mkdir()
        tiny.model(folder / place)
        detection(str(folder / place / "yolo11n-tiny.yaml"))


def recipes_open_by_name(folder):
    from ultralytics import RTDETR, YOLO

    from yolo_cot.yaml_edit.recipe_names import recipes

    every = [recipe for recipe in recipes() if recipe.idea.name == "cot"]
    of_tasks = {r.task: r.at_scale("n") for r in every if r.base.stem.startswith(("yolov8", "yolo26"))}
    assert {"detect", "segment", "classify", "pose", "obb"} <= set(of_tasks)
    for name in (*of_tasks.values(), "yolov10n-outlook.yaml", "rtdetr-l-cotblock.yaml", "yolo12n-outlooker-seg.yaml"):
        model = (RTDETR if "rtdetr" in name else YOLO)(name)
        rows = [*model.model.yaml["backbone"], *model.model.yaml["head"]]
        assert {row[2] for row in rows} & {"CoTAttention", "OutlookAttention", "CoTBlock", "Outlooker"}, name
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'yolov8n-cot-seg\.yaml'"):
        YOLO("yolov8n-cot-segment.yaml")


def pretrained_weights_find_their_rows(folder):
    source, target = detection("yolo11n.yaml"), detection("yolo11n-cot.yaml")
    target.load(source, verbose=False)
    old, new = source.state_dict(), target.state_dict()
    moved = sum(any(v.shape == w.shape and torch.equal(v, w) for w in old.values()) for v in new.values())
    assert moved >= len(old)


def ddp_children_import_the_package(folder):
    from ultralytics.utils import dist

    trainer = SimpleNamespace(
        args=SimpleNamespace(model="yolo11n-cot.yaml"), hub_session=None, model="yolo11n-cot.yaml", callbacks={}
    )
    if needs_cloudpickle():
        print("    (cloudpickle is not there, which this release of Ultralytics needs and does not declare)")
        return
    file = Path(dist.generate_ddp_file(trainer))
    text = file.read_text()
    assert text.index("import yolo_cot") < text.index("from ultralytics")
    compile(text, str(file), "exec")
    dist.ddp_cleanup(trainer, str(file))


def commands_of_the_tuner_know_the_blocks(folder):
    from ultralytics.engine import trainer, tuner

    tiny.model(folder)
    for module in (trainer, tuner):
        if hasattr(module, "subprocess"):
            command = [sys.executable, "-m", "ultralytics.cfg.__init__", "cfg", "model=x"]
            assert type(module.subprocess).__name__ == "_Subprocess"
            module.subprocess.run(command[:4], check=True, stdout=subprocess.DEVNULL)


def restricted_loading_takes_ours(folder):
    from ultralytics.nn import tasks

    if not hasattr(tasks, "_SafeLoad"):
        print("    (this release of Ultralytics has no restricted loading)")
        return
    file = folder / "ours.pt"
    torch.save({"model": detection("yolo11n-cot-outlook.yaml").half(), "train_args": {}}, file)
    checkpoint, _ = tasks.torch_safe_load(str(file), safe_only=True)
    assert type(checkpoint["model"].model[11]).__name__ == "CoTAttention"


def a_bundle_opens(folder):
    from ultralytics import YOLO as Model

    from yolo_cot.plugin.bundle import write

    torch.save({"model": live(detection("yolo11n-cot.yaml")), "train_args": {"task": "detect"}}, folder / "b.pt")
    model, image = Model(str(write(folder / "b.pt"))), picture(64, 64)
    assert torch.equal(output(model.model, image), output(Model(str(folder / "b.pt")).model, image))


def the_start_up_line_registers(folder):
    from yolo_cot.plugin.startup.line import line

    code = f"{line()}\nfrom ultralytics import YOLO\nYOLO('yolo11n-cot.yaml')\n" + (
        "from yolo_cot.plugin import registration\nassert not registration._waiting, registration._waiting\n"
    )
    python(code, cwd=folder)
    code = (
        f"{line()}\nfrom ultralytics.models.yolo.detect import DetectionTrainer\nfrom ultralytics.data import utils\n"
    )
    python(code + "import sys\nassert 'yolo_cot' in sys.modules", cwd=folder)


def uninstalling_restores(folder):
    from ultralytics.nn import tasks

    import yolo_cot

    ours = tasks.parse_model
    yolo_cot.uninstall()
    assert tasks.parse_model is ours.__wrapped__
    assert not hasattr(tasks, "CoTAttention")
    yolo_cot.install()


CHECKS = [
    stock_models_are_the_same_to_the_bit,
    every_config_builds_runs_and_folds,
    networks_build_for_their_task,
    composites_count_as_c3k2,
    wrong_rows_are_told,
    configs_are_found,
    recipes_open_by_name,
    pretrained_weights_find_their_rows,
    ddp_children_import_the_package,
    commands_of_the_tuner_know_the_blocks,
    restricted_loading_takes_ours,
    a_bundle_opens,
    the_start_up_line_registers,
    uninstalling_restores,
]


def main() -> None:
    """Run every check in a folder of its own."""
    import ultralytics

    import yolo_cot

    print(f"ultralytics {ultralytics.__version__}, yolo_cot {yolo_cot.__version__}, torch {torch.__version__}")
    for check in [*CHECKS, *(FULL if "--full" in sys.argv else [])] if "--only-full" not in sys.argv else FULL:
        with tempfile.TemporaryDirectory() as folder:
            here = os.getcwd()
            os.chdir(folder)
            try:
                check(Path(folder))
            finally:
                os.chdir(here)
        print(f"ok {check.__name__}", flush=True)
    shutil.rmtree(os.environ["YOLO_CONFIG_DIR"], ignore_errors=True)


if __name__ == "__main__":
    main()
