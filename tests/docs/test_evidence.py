"""The tables of docs/evidence.md are those that its scripts make out of the kept results."""

from __future__ import annotations

import sys

import pytest

from tests.commands.ablate.ablations import finish, pretended
from tests.conftest import ROOT
from yolo_cot.commands.ablate.plan import Run, load
from yolo_cot.commands.ablate.results import Results

FOLDER = ROOT / "docs" / "evidence"


@pytest.fixture
def scripts(monkeypatch):
    """The modules that make the tables; their folder is on the path as when one of them is run."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import gate_tables
    import trainings

    yield gate_tables, trainings
    for name in ("gate_tables", "trainings", "keep", "speed", "formats", "integers", "settled", "fusion_tables"):
        sys.modules.pop(name, None)


def test_the_table_of_the_positive_control_is_what_the_kept_results_give(scripts):
    gate_tables, trainings = scripts
    rows = trainings.read(*FOLDER.glob("gates/gate-control-?.csv"))
    lines = gate_tables.control(rows)
    assert len(rows) == 25
    assert len(lines) == 7
    assert "\n".join(lines) in (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


def test_the_tables_of_the_sweep_are_what_the_kept_results_give(scripts):
    gate_tables, trainings = scripts
    every = trainings.read(*FOLDER.glob("gates/gate-sweep-?.csv"))
    rows = [r for r in every if r["start"] == "0.0"]
    page = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert len(rows) == 36
    assert "\n".join(gate_tables.sweep(rows)) in page
    assert "\n".join(gate_tables.opened(rows)) in page
    others = [r for r in every if r["start"] != "0.0" and r["multiple"] == "10"]
    assert len(others) == 24
    assert "\n".join(gate_tables.starts([*rows, *others], "10")) in page


def test_the_tables_of_speed_and_of_formats_are_what_the_kept_results_give(scripts):
    import formats
    import speed

    page = speed.PAGE.read_text(encoding="utf-8")
    assert page.count("geometric mean**") == 9
    assert speed.with_tables(page) == page
    page = formats.PAGE.read_text(encoding="utf-8")
    assert formats.PLACE.search(page)[0].partition("\n")[2].startswith(formats.table(formats.kept()))


def test_the_table_of_the_fusion_ablation_is_what_the_kept_results_give(scripts):
    import fusion_tables

    _, trainings = scripts
    rows = trainings.read(*sorted(FOLDER.glob("gates/fusion-?.csv")))
    assert len(rows) == 30
    assert "\n".join(fusion_tables.lines(rows)) in (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


def test_intervals_are_students(scripts):
    gate_tables, _ = scripts
    mean, low, high = gate_tables.interval([1.0, 2.0, 3.0, 4.0])
    assert (mean, low, high) == pytest.approx((2.5, 2.5 - 3.182446 * 0.645497, 2.5 + 3.182446 * 0.645497), rel=1e-5)


def test_a_table_goes_on_where_it_was(scripts, tmp_path):
    _, trainings = scripts
    made = []

    def make(seed, name):
        made.append((seed, name))
        return {"map": seed + 0.5}, [{"epoch": "1", "loss": "2"}]

    jobs = [(0, "a"), (1, "a")]
    trainings.table(tmp_path / "t.csv", ("seed", "name"), jobs[:1], make)
    trainings.table(tmp_path / "t.csv", ("seed", "name"), jobs, make)
    assert made == jobs
    assert [(row["seed"], row["map"]) for row in trainings.read(tmp_path / "t.csv")] == [("0", "0.5"), ("1", "1.5")]
    assert [row["seed"] for row in trainings.read(tmp_path / "t-curves.csv")] == ["0", "1"]
    assert trainings.share(list(range(5)), "1/2") == [1, 3]


def test_an_ablation_is_kept_without_the_paths_of_its_machine_and_goes_on_elsewhere(scripts, tmp_path, monkeypatch):
    import keep

    places = {"data": str(tmp_path / "set.yaml"), "pretrained": str(tmp_path / "old" / "w.pt")}
    made = pretended(tmp_path / "p", {"yolo11n": [0.6, 0.61], "yolo11n-cot": [0.6, None]}, **places)
    run = next(run for run in made.runs() if run.finished)
    run.log.parent.mkdir()
    run.log.write_text("a line\nTransferred 499/499 items from pretrained weights\nanother\n")
    (run.folder / "best.pt").write_bytes(b"large")
    kept, again = tmp_path / "kept", tmp_path / "again"
    monkeypatch.setattr(sys, "argv", ["keep.py", f"from={tmp_path / 'p'}", f"to={kept}"])
    keep.main()
    text = "".join(file.read_text() for file in kept.rglob("*") if file.is_file())
    assert str(tmp_path) not in text
    assert not list(kept.rglob("best.pt"))
    words = [f"from={kept}", f"to={again}", f"data={tmp_path / 'set.yaml'}", f"weights={tmp_path / 'new' / 'w.pt'}"]
    monkeypatch.setattr(sys, "argv", ["keep.py", *words])
    keep.main()
    plan = load(again)
    assert plan.settings == {**made.settings, "pretrained": str(tmp_path / "new" / "w.pt")}
    assert (plan.models, plan.inputs) == (made.models, made.inputs)
    assert {r.name: r.result() for r in plan.runs()} == {r.name: r.result() for r in made.runs()}
    assert (again / "logs" / run.log.name).read_text() == "Transferred 499/499 items from pretrained weights\n"


def test_the_table_of_formats_is_what_verify_left(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import formats

    rows = formats.kept()
    assert len(rows) > 10
    assert formats.table(rows) in (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    monkeypatch.delitem(sys.modules, "formats")


def test_what_integers_cost_has_its_interval_over_the_seeds(scripts):
    import integers

    maps = {
        ("yolo11n", "float"): (0.50, 0.52, 0.54),
        ("yolo11n", "onnx"): (0.49, 0.50, 0.51),
        ("yolo11n-cot", "float"): (0.60, 0.60, 0.60),
        ("yolo11n-cot", "onnx"): (0.58, 0.57, 0.56),
    }
    rows = [
        {"model": model, "form": form, "seed": str(seed), "map": str(value)}
        for (model, form), values in maps.items()
        for seed, value in enumerate(values)
    ]
    assert integers.lines(rows)[2:] == [
        "| yolo11n | onnxruntime | 52.00 (47.03 to 56.97) | 2.00 (-0.48 to 4.48) | |",
        "| yolo11n-cot | onnxruntime | 60.00 (60.00 to 60.00) | 3.00 (0.52 to 5.48) | 1.00 (1.00 to 1.00) |",
    ]


def test_the_table_of_integers_is_what_the_kept_results_give(scripts):
    import integers

    _, trainings = scripts
    lines = integers.lines(trainings.read(*FOLDER.glob("integers/integers-?.csv")))
    assert len(lines) == 2 + 8
    assert "\n".join(lines) in (ROOT / "docs" / "export.md").read_text(encoding="utf-8")


def test_the_tables_of_the_settled_trainings_are_what_the_kept_results_give(scripts):
    import settled

    page = settled.PAGE.read_text(encoding="utf-8")
    assert settled.PLACE.search(page)
    assert settled.with_tables(page) == page


def test_curves_of_gates_are_looked_at_along_the_training_in_the_mean_over_the_seeds(scripts, tmp_path):
    import settled

    made = pretended(tmp_path, {"yolo11n": [0.6], "yolo11n-cot": [None, None]}, epochs=12)
    for seed, factor in enumerate((1, 3)):
        curve = [factor * epoch / 100 for epoch in range(1, 13)]
        finish(Run(made, "yolo11n-cot", seed), 0.6, gates={"11.CoTAttention": curve})
    table = settled.gates(Results(made))
    assert table.header == ["model", "gate", "seeds", *(f"epoch {n}" for n in (1, 2, 6, 9, 12))]
    assert table.rows == [["yolo11n-cot", "11.CoTAttention", "2", "0.020", "0.040", "0.120", "0.180", "0.240"]]


def test_a_comparison_says_how_much_of_it_came_in_the_last_quarter_paired_by_seed(scripts, tmp_path):
    """Straight lines of 40 epochs: the last ten epochs gain ten times the slope."""
    import settled

    made = pretended(tmp_path, {"yolo11n": [None] * 3, "yolo11n-cot": [None] * 3}, epochs=40)
    slopes = {"yolo11n": (1, 5, 9), "yolo11n-cot": (3, 6)}
    for label, found in slopes.items():
        for seed, slope in enumerate(found):
            curve = [slope * epoch / 10_000 for epoch in range(40)]
            finish(Run(made, label, seed), 0.5 + slope / 100, curve=curve)
    results = Results(made)
    (pair,) = results.pairs()
    assert settled.growth(results, pair) == pytest.approx([0.2, 0.1])
    table = settled.comparisons(results)
    assert table.header[-1] == "of it in the last quarter"
    assert table.rows[0][:3] == ["yolo11n-cot against yolo11n", "2", "+1.50"]
    assert table.rows[0][-1].startswith("0.15 [")


@pytest.mark.parametrize("times, cells", [({}, []), ({"yolo11n": 1.0}, ["1.00"])], ids=["no times", "times"])
def test_models_have_a_column_of_times_only_where_times_were_measured(scripts, tmp_path, times, cells):
    import settled

    results = Results(pretended(tmp_path, {"yolo11n": [0.5, 0.6]}))
    table = settled.models(results, times)
    assert ("time" in table.header) == bool(times)
    assert table.rows[0][4 : 4 + len(cells)] == cells
    assert len(table.rows[0]) == len(table.header)
