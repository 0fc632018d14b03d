"""The report of an ablation, from results that are written down."""

from __future__ import annotations

import csv
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from tests.commands.ablate.ablations import entries, finish, models, pretended
from tests.commands.verbs import call
from yolo_cot.commands import ablate
from yolo_cot.commands.ablate.controls import controls
from yolo_cot.commands.ablate.controls.model import model_of
from yolo_cot.commands.ablate.plan import Plan, Run, load
from yolo_cot.commands.ablate.prepare import prepare
from yolo_cot.commands.ablate.report import write_report as write
from yolo_cot.commands.ablate.results import NOT_WIDENED, Results
from yolo_cot.yaml_edit.files import find_model

BASE = [0.600, 0.606, 0.594, 0.603, 0.597]
LATENCY = {
    "forward": {"yolo11n": [20.0, 19.0, 21.0], "yolo11n-cot": [23.0, 22.5, 23.5]},
    "whole": {"yolo11n": [25.0, 24.0, 26.0], "yolo11n-cot": [28.0, 27.0, 29.0]},
    "runtime": "torch",
    "device": "a processor",
    "imgsz": 640,
    "rounds": 50,
    "threads": 1,
}


def write_report(plan, latency):
    return write(Results(plan), latency)


def plus(values, *gains):
    return [value + gain for value, gain in zip(values, gains)]


GAIN = (0.020, 0.021, 0.019, 0.022, 0.018)
NOISE = (0.004, -0.006, 0.003, -0.002, 0.004)


def test_a_gain_over_base_and_controls_is_told_and_noise_is_not(tmp_path):
    made = controls(models("yolo11n", "yolo11n-cot"), 3)
    convolution, widened = made
    results = {"yolo11n": BASE, "yolo11n-cot": plus(BASE, *GAIN)}
    results |= {"yolo11n-outlook": plus(BASE, *NOISE), convolution.label: BASE, widened.label: plus(BASE, *NOISE)}
    plan = pretended(tmp_path, results, tuple(made))
    sentences = write_report(plan, LATENCY)
    assert [s.split(":")[0] for s in sentences] == [
        "yolo11n-cot against yolo11n",
        f"yolo11n-cot against {convolution.label}",
        f"yolo11n-cot against {widened.label}",
        "yolo11n-outlook against yolo11n",
    ]
    text = (tmp_path / "report.md").read_text()
    assert "### yolo11n-cot: better than the base and than its controls" in text
    assert "### yolo11n-outlook: no gain shown" in text
    assert "Against yolo11n, the base: better by 2.00 points, more than chance" in text
    assert re.search(r"no difference that 5 seeds can show; \d\.\d\d points would have been needed", text)
    assert "4 comparisons beside each other" in text
    assert "with one seed all models saw the same pictures and labels in the same order" in text
    assert "yolo-cot ablate models=yolo11n.yaml,yolo11n-cot.yaml,yolo11n-outlook.yaml data=set.yaml seeds=5" in text


def test_a_gain_that_a_control_has_too_is_not_given_to_the_block(tmp_path):
    made = controls(models("yolo11n", "yolo11n-cot"), 3)
    better = plus(BASE, *GAIN)
    results = {"yolo11n": BASE, "yolo11n-cot": better, made[0].label: plus(better, *NOISE), made[1].label: BASE}
    write_report(pretended(tmp_path, results, tuple(made)), {})
    text = (tmp_path / "report.md").read_text()
    told = f"better than the base, but not shown to be better than {made[0].label}, so its size may explain it"
    assert f"### yolo11n-cot: {told}" in text
    assert "The time for a picture was not measured." in text


class Reader(HTMLParser):
    """Counts tags, and collects what a page asks for from outside."""

    def __init__(self):
        super().__init__()
        self.open, self.outside, self.images = [], [], 0

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        for key in ("src", "href"):
            if key in given and not given[key].startswith("data:image/svg+xml;base64,"):
                self.outside.append(given[key])
        self.images += tag == "img"
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_outside(tmp_path):
    plan = pretended(tmp_path, {"yolo11n": BASE, "yolo11n-cot": plus(BASE, *NOISE)})
    write_report(plan, LATENCY)
    page, reader = (tmp_path / "report.html").read_text(), Reader()
    reader.feed(page)
    assert not reader.open
    assert not reader.outside
    assert reader.images == 4
    assert "url(" not in page
    assert "&lt;b&gt;" in page  # a class of that name is text
    assert "<b>" not in page
    for picture in re.findall(r"!\[.*\]\((.*)\)", (tmp_path / "report.md").read_text()):
        assert (tmp_path / picture).read_text().startswith("<?xml")


def test_markdown_shows_class_names_as_they_are(tmp_path):
    names = ["<script>alert(1)</script>", "a|b", "*c* _d_ `e`", "[f](g)", "$h$ & ~~i~~", "# j", "k\\"]
    plan = pretended(tmp_path, {"yolo11n": [None], "yolo11n-cot": [None]})
    for run in plan.runs():
        finish(run, 0.6, best={"classes": dict.fromkeys(names, 0.5)})
    write_report(plan, {})
    # As strict as any: HTML in it counts as HTML.
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shown = page.render((tmp_path / "report.md").read_text())
    assert "<script" not in shown
    header = re.search(r"of every class.*?</tr>", shown, re.DOTALL)[0]
    assert [unescape(cell) for cell in re.findall(r">([^<>]*)</th>", header)] == ["model", "seeds", *names]


def test_names_are_no_formulas_in_spreadsheets_and_pictures(tmp_path):
    text = find_model("yolo11n")[0].read_text(encoding="utf-8")
    label, names = "=1+1$\\frac$", ["=HYPERLINK(1)", "+1+cmd|'x'!A0", "-2+3", "@SUM(1)", "\t=1", "-0.5"]
    mine = [model_of("yolo11n", text), model_of(label, text)]
    plan = prepare(Plan(tmp_path, {"data": "set.yaml", "epochs": 3}, seeds=2), entries(mine))
    for run in plan.runs():
        finish(run, 0.6 - run.seed / 100 - len(run.label) / 1000, best={"classes": dict.fromkeys(names, 0.5)})
    times = {"yolo11n": [2.0, 1.9, 2.1], label: [1.0, 0.9, 1.1]}
    write_report(plan, {**LATENCY, "forward": times, "whole": times})
    for file in [*tmp_path.glob("*.csv"), *(tmp_path / "tables").glob("*.csv")]:
        with file.open(encoding="utf-8", newline="") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row if cell.strip()[:1] in ("=", "+", "-", "@")]
        numbers = r"-|[-+]?[\d.]+(e[-+]\d+)?( to [-+][\d.]+)?( \[[-\d., ]+\])?"
        assert not [cell for cell in cells if not re.fullmatch(numbers, cell)], file
    with (tmp_path / "tables" / "classes.csv").open(encoding="utf-8", newline="") as stream:
        shown = [f"'{name}" for name in names[:-1]]
        assert next(csv.reader(stream))[2:] == [*shown, "-0.5"]


def test_the_tables_hold_every_run_and_every_comparison(tmp_path):
    results = {"yolo11n": BASE, "yolo11n-cot": [*plus(BASE[:3], *NOISE), None, 0.61]}
    write_report(pretended(tmp_path, results), LATENCY)
    with (tmp_path / "results.csv").open() as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == 9
    assert runs[0]["map"] == "0.60000"
    assert runs[0]["map of disc"] == "0.7"
    assert {r["latency_ms"] for r in runs} == {"20.0", "23.0"}
    with (tmp_path / "comparisons.csv").open() as file:
        (one,) = csv.DictReader(file)
    assert one["seeds"] == "4"
    assert one["differences"] == "0:+0.4000 1:-0.6000 2:+0.3000 4:+1.3000"
    assert float(one["mean"]) == pytest.approx(0.35)
    assert float(one["low"]) == pytest.approx(0.35 - float(one["needed"]), abs=1e-5)
    assert "1 of 10 runs are not finished and left out (yolo11n-cot-seed3)." in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    "results, told",
    [
        ([None], "nothing to say: no seed is finished for both"),
        ([0.61], "nothing to say: +1.00 points with one seed"),
        ([0.61, 0.62], "no difference that 2 seeds can show"),
        ([0.60, 0.606], "no difference: all 2 seeds gave the same result"),
    ],
)
def test_few_seeds_are_told_honestly(tmp_path, results, told):
    write_report(pretended(tmp_path, {"yolo11n": BASE[: len(results)], "yolo11n-cot": results}), {})
    assert told in (tmp_path / "report.md").read_text()
    assert (tmp_path / "report.html").is_file()


def test_what_weakens_a_comparison_is_told(tmp_path):
    made = controls(models("yolo11n", "yolo11n-cot"), 3)[1:]
    results = {"yolo11n": BASE[:2], "yolo11n-cot": [0.0], made[0].label: [0.0]}
    plan = pretended(tmp_path, results, tuple(made), pretrained="yolo11n.pt")
    finish(Run(plan, "yolo11n-cot", 1), 0.6, data_order="another", device="a GPU")
    (tmp_path / "logs").mkdir()
    for label, count in (("yolo11n", 493), ("yolo11n-cot", 493), (made[0].label, 97)):
        (tmp_path / "logs" / f"{label}-seed0.txt").write_text(
            f"Transferred {count}/499 items from pretrained weights\n"
        )
    plan.seeds = 3
    plan.note("seeds: 3")
    plan.save()
    write_report(load(tmp_path), {})
    text = (tmp_path / "report.md").read_text()
    assert "Not the same data: with seed 1 the models did not see the same batches" in text
    assert f"yolo11n 493 of 499, yolo11n-cot 493 of 499, {made[0].label} 97 of 499." in text
    assert (
        f"Trained, but not compared: {made[0].label} (0.00). The pretrained weights, or most of them, did not fit"
        in text
    )
    assert f"against {made[0].label}" not in text
    assert "Devices or versions differ between runs" in text
    assert "Seeds were added on the way (seeds: 2; seeds: 3)" in text


@pytest.mark.parametrize("told", ["", f"{NOT_WIDENED}: the weights have layers that are no convolutions.\n"])
def test_a_wider_base_is_compared_only_if_it_started_as_the_weights_do(tmp_path, told):
    wider = controls(models("yolo11n", "yolo11n-cot"), 3)[1]
    scores = {"yolo11n": BASE[:2], "yolo11n-cot": BASE[:2], wider.label: BASE[:2]}
    plan = pretended(tmp_path, scores, (wider,), pretrained="yolo11n.pt")
    (tmp_path / "logs").mkdir()
    for run in plan.runs():
        said = told if run.label == wider.label else ""
        run.log.write_text(f"{said}Transferred 400/499 items from pretrained weights\n")
    assert (wider.label in [pair.other for pair in Results(plan).pairs()]) == (not told)
    write_report(plan, {})
    text = (tmp_path / "report.md").read_text()
    assert (f"Trained, but not compared: {wider.label}" in text) == bool(told)
    assert ("A widened model holds the pretrained one" in text) == (not told)


def test_nothing_learned_is_told(tmp_path):
    write_report(pretended(tmp_path, {"yolo11n": [0.0, 0.0], "yolo11n-cot": [0.0, 0.0]}), {})
    assert "No run has learned anything that this metric sees" in (tmp_path / "report.md").read_text()


def test_the_plan_takes_its_spread_from_the_runs_or_from_the_user(tmp_path, capsys):
    pretended(tmp_path, {"yolo11n": BASE, "yolo11n-cot": plus(BASE, *NOISE)})
    call(ablate, plan=0.5, project=tmp_path)
    told = capsys.readouterr().out
    assert "0.44 points, of mAP50-95 of the best epoch, from the 5 seeds in" in told
    assert re.search(r"1 comparison beside each other, at 95% confidence in all: 9 seeds\.", told)
    assert "it may be as large as 0.69" in told
    call(ablate, plan=0.5, sd=0.45, project=tmp_path / "none", models="a,b,c")
    told = capsys.readouterr().out
    assert "0.45 points, as given with sd=" in told
    assert "6 comparisons beside each other" in told
