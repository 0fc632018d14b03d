"""Nothing is compared that is not comparable, and no finished result is lost."""

from __future__ import annotations

import json
import re

import cv2
import pytest
import torch
from filelock import FileLock
from torch.utils.data import DataLoader

from tests.commands.ablate.ablations import PLAIN, finish
from yolo_cot.commands.ablate.plan import Run, load
from yolo_cot.commands.ablate.results import Results
from yolo_cot.commands.ablate.runs.recorder import same_start
from yolo_cot.commands.ablate.runs.train import main as make_run


def label(folder):
    """Another class, in a file of the same size."""
    file = folder / "d/train/labels/0.txt"
    file.write_text(file.read_text().replace("0 ", "1 ", 1))


def measured_label(folder):
    (folder / "d/val/labels/0.txt").unlink()


def picture(folder):
    file = str(folder / "d/train/images/1.png")
    cv2.imwrite(file, 255 - cv2.imread(file))


def one_more_picture(folder):
    (folder / "d/train/images/99.png").write_bytes((folder / "d/train/images/1.png").read_bytes())


def weights(folder):
    file = folder / "weights.pt"
    file.write_bytes(bytes(len(file.read_bytes())))


@pytest.mark.parametrize(
    "change, told",
    [
        (label, "the labels of train have changed"),
        (measured_label, "the labels of val have changed"),
        (picture, "the pictures of train have changed"),
        (one_more_picture, "the pictures of train have changed"),
        (weights, "the weights have changed"),
    ],
)
def test_an_ablation_does_not_go_on_with_other_inputs(ablation, change, told):
    (ablation.folder / "weights.pt").write_bytes(b"some weights")
    more = {"pretrained": str(ablation.folder / "weights.pt")}
    ablation.run(seeds=1, **more)
    ablation.run(seeds=2, **more)  # the same inputs, read again, are the same
    before = ablation.files()
    change(ablation.folder)
    with pytest.raises(ValueError, match=f"holds runs made otherwise: .*{told}"):
        ablation.run(seeds=3, **more)
    assert ablation.files() == before


def test_a_run_is_not_made_from_other_inputs_than_the_first(ablation):
    """A label file that changes while the ablation is at work."""
    ablation.run(seeds=1)
    run = Run(load(ablation.project), "yolo11n-tiny", 0)
    job = run.folder / "run.json"
    job.write_text(json.dumps(run.job("cpu")))
    label(ablation.folder)
    with pytest.raises(ValueError, match=r"the labels of train have changed since this ablation began"):
        make_run(str(job))


def test_a_refused_second_ablation_writes_nothing(ablation):
    ablation.run()
    before = ablation.files()
    finished = [run.folder / "result.json" for run in load(ablation.project).runs()]
    for file in finished:  # as if the first were still at its first run
        file.unlink()
        before.pop(file)
    with FileLock(ablation.project / "lock"), pytest.raises(ValueError, match=r"another yolo-cot ablate is at work in"):
        ablation.run(epochs=2)
    assert ablation.files() == before


@pytest.mark.parametrize(
    "content, told",
    [
        ("", r"result\.json is empty, cut or damaged"),
        ('{"best": {"map": 0.5', r"result\.json is empty, cut or damaged"),
        ('{"best": {"map": NaN}}', r"result\.json holds NaN where a number belongs"),
        ('{"best": {"map": 0.5}}', r"result\.json is damaged: it lacks last, parameters"),
        ("[]", r"result\.json is damaged: it holds no JSON object"),
    ],
)
def test_a_damaged_result_counts_as_not_finished_and_its_file_is_named(ablation, capsys, content, told):
    ablation.run(seeds=1)
    file = ablation.project / "runs" / "yolo11n-tiny-seed0" / "result.json"
    file.write_text(content)
    ablation.made.clear()
    assert Results(load(ablation.project)).missing == ["yolo11n-tiny-seed0"]
    ablation.run(seeds=1)
    assert ablation.made == ["yolo11n-tiny-seed0"]
    assert re.search(f"{told}.* The run counts as not finished, and is made again", capsys.readouterr().out)


def test_a_damaged_plan_is_told_by_name_and_nothing_is_overwritten(ablation):
    ablation.run(seeds=1)
    (ablation.project / "plan.json").write_text("")
    before = ablation.files()
    with pytest.raises(ValueError, match=r"plan\.json is empty, cut or damaged"):
        ablation.run(seeds=1)
    assert ablation.files() == before


def test_a_model_with_the_name_of_a_control_is_refused_and_not_replaced(ablation):
    mine = ablation.folder / "yolo11n-tiny-as-conv.yaml"
    mine.write_text(PLAIN)
    models = f"{ablation.words['models']},{mine}"
    with pytest.raises(ValueError, match=r"yolo11n-tiny-as-conv is the name of a control .* Rename its file"):
        ablation.run(models=models, controls=True)
    ablation.run(models=models, controls=False)
    assert load(ablation.project).model_file("yolo11n-tiny-as-conv").read_text() == PLAIN
    # Nor later, when the model itself is not named.
    with pytest.raises(ValueError, match=r"the text of yolo11n-tiny-as-conv has changed"):
        ablation.run(controls=True)


class Constant:
    """A trainer of a release whose data loader starts at a constant, whatever the seed."""

    def __init__(self):
        class Loader(DataLoader):
            def reset(self):
                pass

        generator = torch.Generator()
        generator.manual_seed(6148914691236517205)
        self.train_loader = Loader(range(100), batch_size=10, shuffle=True, generator=generator)


def test_seeds_give_other_batches_where_the_loader_starts_at_a_constant():
    def order(seed):
        trainer = Constant()
        same_start(trainer, seed)
        return torch.cat(list(trainer.train_loader)).tolist()

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert torch.equal(*(torch.cat(list(Constant().train_loader)) for _ in range(2)))  # what is cured here


def test_seeds_that_saw_the_same_batches_are_told(ablation):
    ablation.run()
    for run in load(ablation.project).runs():
        finish(run, 0.5 + run.seed / 100, data_order="the same")
    text = ablation.report()
    assert "Not different seeds: seeds 0, 1 saw the same batches in the same order" in text
    assert "Checked:" not in text
