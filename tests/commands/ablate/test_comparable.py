"""Nothing is compared that is not comparable, and no finished result is lost."""

from __future__ import annotations

import json
import os
import re
import time

import cv2
import pytest
import torch
from filelock import FileLock
from torch.utils.data import DataLoader

from tests.commands.ablate.ablations import PLAIN, finish
from yolo_cot.commands.ablate.plan import Run, load
from yolo_cot.commands.ablate.results import Results
from yolo_cot.commands.ablate.runs import train
from yolo_cot.commands.ablate.runs.progress import Progress
from yolo_cot.commands.ablate.runs.recorder import Recorder, same_start
from yolo_cot.plugin import datasets
from yolo_cot.plugin.datasets import dataset_files


def label(folder):
    """Another class, in a file of the same size."""
    file = folder / "d/train/labels/0.txt"
    file.write_text(file.read_text().replace("0 ", "1 ", 1))


def measured_label(folder):
    (folder / "d/val/labels/0.txt").unlink()


def picture(folder):
    file = str(folder / "d/train/images/1.png")
    cv2.imwrite(file, 255 - cv2.imread(file))


def picture_of_the_same_size(folder):
    file = folder / "d/train/images/1.png"
    size = file.stat().st_size
    cv2.imwrite(str(file), 0 * cv2.imread(str(file)))
    file.write_bytes(file.read_bytes().ljust(size, b"\0"))
    assert file.stat().st_size == size


def one_more_picture(folder):
    (folder / "d/train/images/99.png").write_bytes((folder / "d/train/images/1.png").read_bytes())


def weights(folder):
    file = folder / "weights.pt"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 4] + b"\1" + content[len(content) // 4 + 1 :])


@pytest.mark.parametrize(
    "change, told",
    [
        (label, "the labels of train have changed"),
        (measured_label, "the labels of val have changed"),
        (picture, "the pictures of train have changed"),
        (picture_of_the_same_size, "the pictures of train have changed"),
        (one_more_picture, "the pictures of train have changed"),
        (weights, "the weights have changed"),
    ],
)
def test_an_ablation_does_not_go_on_with_other_inputs(ablation, change, told):
    (ablation.folder / "weights.pt").write_bytes(bytes(1 << 16))
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
        train.main(str(job))


def test_a_run_whose_inputs_change_while_it_is_under_way_leaves_no_result(ablation, monkeypatch):
    ablation.run(seeds=1)
    run = Run(load(ablation.project), "yolo11n-tiny", 0)
    job = run.folder / "run.json"
    job.write_text(json.dumps(run.job("cpu")))
    (run.folder / "result.json").unlink()

    def trained(*_):
        label(ablation.folder)
        return {}

    monkeypatch.setattr(train, "train", trained)
    with pytest.raises(ValueError, match=r"the labels of train have changed since this ablation began"):
        train.main(str(job))
    assert not (run.folder / "result.json").exists()


def test_the_order_of_the_data_tells_other_labels_and_other_pictures():
    class Trainer(Recorder, Plain):
        pass

    def digest(**more):
        trainer = Trainer()
        batch = {
            "im_file": ["a.png"],
            "img": torch.zeros(1, 3, 2, 2),
            "cls": torch.zeros(1),
            "bboxes": torch.ones(1, 4),
        }
        trainer.preprocess_batch({**batch, **more})
        return trainer.digest.hexdigest()

    others = [
        {"cls": torch.ones(1)},
        {"bboxes": torch.zeros(1, 4)},
        {"img": torch.ones(1, 3, 2, 2)},
        {"im_file": ["b.png"]},
    ]
    assert len({digest(), digest(), *(digest(**other) for other in others)}) == 5


class Plain:
    def preprocess_batch(self, batch):
        return batch


def test_a_label_of_the_same_size_and_with_an_old_time_is_read_again(ablation, monkeypatch):
    """As `cp -p` or a clock that was set back leaves it; what Ultralytics has kept of it is from before."""
    settings = {"data": ablation.words["data"], "imgsz": 64}
    files = dataset_files(settings, ["train"], "detect")
    file, kept = files.splits["train"].labels[0], files.splits["train"].labels[0].parent.with_suffix(".cache")
    before = kept.stat().st_mtime_ns
    time.sleep(0.02)
    times = file.stat()
    file.write_text(file.read_text())
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert dataset_files(settings, ["train"], "detect")
    assert kept.stat().st_mtime_ns > before
    # A run beside this one may remove it first.
    monkeypatch.setattr(datasets, "_outdated", lambda *_: kept.unlink() or True)
    assert dataset_files(settings, ["train"], "detect").names == files.names


def test_the_seconds_of_a_run_are_those_of_no_clock_that_can_be_set(ablation, monkeypatch):
    ablation.run(seeds=1)
    progress = Progress(load(ablation.project).runs(), 1)
    run = progress.runs[0]
    progress.started(run)
    progress.done -= 1
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 10**6)
    assert "less than a minute" in progress.left() or "1 min" in progress.left()


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
