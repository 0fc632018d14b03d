"""The rewrite of `parse_model`: its self-check, and stock models that stay what they are."""

from __future__ import annotations

import inspect
import threading
import time

import pytest
import torch
from ultralytics.nn import tasks
from ultralytics.nn.modules import C3k2

from tests.processes import python
from yolo_cot.plugin import install, uninstall
from yolo_cot.plugin.catalog import Block
from yolo_cot.plugin.parser import ParserMismatch, rewrite, self_check

from .models import build, with_row


def original():
    return inspect.unwrap(tasks.parse_model)


def mutated(tmp_path, old, new):
    """Ultralytics' `parse_model` with one change in its source."""
    source = inspect.getsource(original())
    assert old in source
    file = tmp_path / "mutated.py"
    file.write_text(source.replace(old, new))
    names = dict(vars(tasks))
    exec(compile(file.read_text(), str(file), "exec"), names)
    return names["parse_model"]


def test_the_installed_ultralytics_passes_the_self_check():
    self_check(original())


@pytest.mark.parametrize(
    "old, new",
    [
        ("m is C3k2", "m.__name__ == 'C3k2'"),  # no longer a test on m
        ("args.insert(2, n)", "args.insert(3, n)"),
        ("legacy = False", "legacy = True"),
        ("c1, c2 = ch[f], args[0]", "c2, c1 = args[0], ch[f]"),
        ("if m in base_modules:", "if m.__name__ in {c.__name__ for c in base_modules}:"),
        ("make_divisible(min(c2, max_channels) * width, 8)", "make_divisible(min(c2, max_channels) * width, 32)"),
        ('{"m", "l", "x"}', '{"m", "x"}'),
        ("globals()[m]", "globals().get(m)"),
    ],
)
def test_the_self_check_refuses_another_parser(tmp_path, old, new):
    if old not in inspect.getsource(original()):
        pytest.skip(f"this Ultralytics spells it otherwise: {old}")
    with pytest.raises(ParserMismatch):
        self_check(mutated(tmp_path, old, new))


def test_the_self_check_reports_a_parser_without_source():
    names = dict(vars(tasks))
    exec("def parse_model(d, ch, verbose=True):\n    return None", names)
    with pytest.raises(ParserMismatch, match="source of parse_model is not available"):
        self_check(names["parse_model"])


def test_the_self_check_leaves_head_and_random_numbers_alone():
    tasks.Detect.legacy, before = "untouched", tasks.Detect.legacy
    try:
        state = torch.get_rng_state()
        self_check(original())
        assert tasks.Detect.legacy == "untouched"
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        tasks.Detect.legacy = before


def test_the_rewrite_stands_in_the_same_file_and_lines():
    class Mine(C3k2):
        pass

    copy = rewrite(original(), {"Mine": Block(Mine, counts_as=C3k2)}.get, vars(tasks))
    assert copy.__code__.co_filename == original().__code__.co_filename
    assert copy.__code__.co_firstlineno == original().__code__.co_firstlineno
    assert set(copy.__code__.co_freevars) == {"_find", "_kind", "_preserving"}
    assert "_kind" not in vars(tasks)


@pytest.mark.parametrize("other", ["parse_model", "check_yaml"])
def test_uninstalling_restores_by_identity_and_installing_twice_is_one(other):
    from ultralytics.data import utils as data_utils
    from ultralytics.engine import model, trainer, tuner
    from ultralytics.utils import dist

    places = [
        (tasks, "parse_model"),
        (tasks, "check_yaml"),
        (tasks.BaseModel, "fuse"),
        (tasks.BaseModel, "load"),
        (tasks.DetectionModel, "__init__"),
        (tasks.ClassificationModel, "__init__"),
        (data_utils, "check_file"),
        (dist, "generate_ddp_file"),
        (model.Model, "_load"),
        (trainer, "subprocess"),
    ]
    places += [(tuner, "subprocess")] if hasattr(tuner, "subprocess") else []
    places = [(owner, name) for owner, name in places if hasattr(owner, name)]
    ours = [getattr(owner, name) for owner, name in places]
    listed = getattr(torch.serialization, "get_safe_globals", list)  # torch before 2.4 has no such list
    allowed = list(listed())
    try:
        uninstall()
        stock = [getattr(owner, name) for owner, name in places]
        assert all(new is not old for new, old in zip(ours, stock))
        assert not hasattr(tasks, "CoTAttention")
        assert not any("yolo_cot" in str(entry) for entry in listed())
        install()
        once = [getattr(owner, name) for owner, name in places]
        install()
        assert all(getattr(owner, name) is one for (owner, name), one in zip(places, once))
        uninstall()
        assert all(getattr(owner, name) is one for (owner, name), one in zip(places, stock))
        uninstall()
    finally:
        install()
    assert set(map(str, allowed)) == set(map(str, listed()))


def test_threads_may_build_and_install_at_the_same_time():
    failures = []

    def work(row):
        try:
            for _ in range(3):
                install()
                model = build(row)
                assert type(model.model[2]).__name__ == row[2]
        except Exception as error:
            failures.append(error)

    rows = [[-1, 1, "CoTAttention", []], [-1, 1, "C3k2", [64]], [-1, 1, "C3k2CoT", [64]], [-1, 1, "Conv", [64]]]
    threads = [threading.Thread(target=work, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_one_model_at_a_time_is_parsed(monkeypatch):
    """Its activation stands in a class attribute of Ultralytics while it is."""
    parsed, most, stock = [], [], tasks.Conv

    class Slow(stock):
        def __init__(self, *arguments):
            parsed.append(threading.get_ident())
            most.append(len(set(parsed)))
            time.sleep(0.02)
            super().__init__(*arguments)
            parsed.remove(threading.get_ident())

    monkeypatch.setattr(tasks, "Conv", Slow)
    rows = [[-1, 1, "CoTAttention", []], [-1, 1, "C3k2", [64]]]
    threads = [threading.Thread(target=build, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) >= 4
    assert set(most) == {1}


def test_the_model_dictionary_comes_back_as_it_went_in():
    model = with_row([-1, 1, "CoTAttention", [{"gate": 0.0}]])
    row = model["backbone"][2]
    tasks.parse_model(model, ch=3, verbose=False)
    assert model["backbone"][2] is row
    assert row == [-1, 1, "CoTAttention", [{"gate": 0.0}]]


STOCK = """
import hashlib, sys
if {imported}:
    import yolo_cot
import torch
from ultralytics import YOLO
for name in ("yolo11n", "yolo11n-seg", "yolov8n", "yolo12n", "yolo26n"):
    torch.manual_seed(0)
    try:
        model = YOLO(name + ".yaml").model.train()  # which normalizes by what it sees
    except FileNotFoundError:
        continue
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        digest.update(key.encode() + value.numpy().tobytes())
    def feed(y):
        if isinstance(y, torch.Tensor):
            digest.update(y.numpy().tobytes())
        elif isinstance(y, dict):
            [feed(v) for v in y.values()]
        elif isinstance(y, (list, tuple)):
            [feed(v) for v in y]
    with torch.no_grad():
        feed(model(torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(1))))
    print("hash", name, digest.hexdigest(), len(model.state_dict()))
"""


def test_stock_models_are_the_same_to_the_bit_with_and_without_the_package():
    hashes = [
        [line for line in python(STOCK.format(imported=imported)).stdout.splitlines() if line.startswith("hash")]
        for imported in (True, False)
    ]
    assert len(hashes[0]) >= 4
    assert hashes[0] == hashes[1]
