"""models: the table that is kept is what is measured, and every config stands in it."""

from __future__ import annotations

import pytest

from tests.commands.verbs import call
from yolo_cot.commands import models
from yolo_cot.commands.models import Case, all_cases, kept, measure, read
from yolo_cot.paths import configs

AT_ONCE = {"yolo11 n fused", "yolo11-cot-outlook n", "volo-yolo11 n", "cotnet50-cls fused"}


def test_the_kept_table_holds_every_config_at_every_scale():
    assert set(kept()) == {case.key for case in all_cases()}
    assert {case.config for case in all_cases()} == {"yolo11", *(path.stem for path in configs())}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case.key in AT_ONCE else pytest.mark.sweep, id=case.key) for case in all_cases()],
)
def test_the_kept_table_is_what_is_measured(case):
    measured = measure(read(case.config), case.scale, fused=case.fused)
    assert kept()[case.key].parameters == measured.parameters
    assert kept()[case.key].imgsz == measured.imgsz
    # Releases of the FLOP counter differ by what they charge for norms and activations.
    assert kept()[case.key].gflops == pytest.approx(measured.gflops, rel=0.02)


def test_every_config_is_listed_beside_the_plain_one_without_building_any(monkeypatch, capsys):
    monkeypatch.setattr(models, "build", lambda *args: pytest.fail("a model was built"))
    call(models, scale="n")
    output = capsys.readouterr().out
    assert "yolo11 (plain)" in output
    for path in configs():
        assert path.stem in output
    assert "CoTAttention at row 11, OutlookAttention at row 21" in output
    call(models, scale="n", fused=True)
    assert "2.62    6.5" in capsys.readouterr().out


def test_another_size_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(models, "all_cases", lambda: [Case("yolo11", "n", False), Case("cotnet50-cls", "", False)])
    call(models, scale="n", imgsz=320)
    output = capsys.readouterr().out
    assert "320 x 320" in output
    assert "2.62    1.7" in output
