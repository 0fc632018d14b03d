"""Write the tables that are made from other files into READMEs and pages: `python -m docs.tables`.

The tables of arguments, behind `<!-- arguments: VERB -->` on any page, are those that the verbs declare. Of the results
in the READMEs, parameters and GFLOPs are those of the configs' headers, times come from docs/bench.md, accuracy from
docs/evidence.md.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ("yolo11-cot", "yolo11-outlook", "yolo11-cot-outlook", "yolo11-cotblock")
RUNTIMES = ("PyTorch", "onnxruntime")
START, END = "<!-- results: made by python -m docs.tables -->\n", "<!-- results: end -->\n"
ARGUMENTS = re.compile(r"(<!-- arguments: (\w+) -->\n).*?(<!-- arguments: end -->\n)", re.S)
HEADS = {
    "README.md": ("config", "parameters", "GFLOPs", "time", "mAP, {}", "not measured"),
    "README.zh-CN.md": ("配置", "参数量", "GFLOPs", "耗时", "mAP, {}", "未测"),
}


def sizes(config: str) -> list[tuple[str, str]]:
    """Parameters and GFLOPs at scale n, of the config and of plain YOLO11, as its header states them."""
    text = (ROOT / "cfg" / f"{config}.yaml").read_text(encoding="utf-8")
    figures = re.search(r"^  n: .*# ([\d,]+) parameters, ([\d.]+) GFLOPs \(plain ([\d,]+), ([\d.]+)\)", text, re.M)
    if not figures:
        raise ValueError(f"The header of cfg/{config}.yaml states no parameters and GFLOPs at scale n.")
    return [
        (f"{int(count.replace(',', '')) / 1e6:.2f} M", flops)
        for count, flops in (figures.group(1, 2), figures.group(3, 4))
    ]


def times() -> dict[tuple[str, str], str]:
    """Model and runtime -> time in multiples of the plain model's."""
    text = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (yolo11n[\w-]*) \| (\w+) \| [\d.]+ \| ([\d.]+) \|$", text, re.M)
    return {(model, runtime): f"{float(ratio):.2f}" for model, runtime, ratio in rows}


def gains() -> dict[str, dict[str, str]]:
    """Data set -> model -> mean difference to plain YOLO11n in points, with its interval."""
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    found = {}
    for title, section in re.findall(r"^## (\w+), \w+ seeds$(.*?)(?=^## |\Z)", text, re.M | re.S):
        row = r"^\| (yolo11n-[\w-]+) against yolo11n \| \d+ \| (\S+) \| (\S+) to (\S+) \|"
        found[title] = {model: f"{mean} ({low} to {high})" for model, mean, low, high in re.findall(row, section, re.M)}
    return found


def results(readme: str) -> str:
    """The table of results of a README, in its language."""
    config, parameters, gflops, time, accuracy, missing = HEADS[readme]
    ratios, sets = times(), gains()
    head = [config, parameters, gflops, time, *(accuracy.format(name) for name in sets)]
    plain = [*sizes(CONFIGS[0])[1], " / ".join("1.00" for _ in RUNTIMES), *("0" for _ in sets)]
    rows = [head, ["---", *("--:" for _ in head[1:])], ["yolo11n", *plain]]
    for name in CONFIGS:
        model = name.replace("yolo11", "yolo11n")
        measured = " / ".join(ratios.get((model, runtime), missing) for runtime in RUNTIMES)
        rows.append([model, *sizes(name)[0], measured, *(found.get(model, missing) for found in sets.values())])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_arguments(page: str) -> str:
    """A page with the tables of arguments that it asks for."""
    from yolo_cot.commands.arguments.tables import markdown_table
    from yolo_cot.commands.verbs import load

    return ARGUMENTS.sub(lambda m: f"{m[1]}{markdown_table(load(m[2]).Arguments)}\n{m[3]}", page)


def main() -> None:
    """Put the tables into the files."""
    for path in (ROOT / "docs").glob("*.md"):
        path.write_text(with_arguments(path.read_text(encoding="utf-8")), encoding="utf-8")
    for readme in HEADS:
        path = ROOT / readme
        before, _, rest = path.read_text(encoding="utf-8").partition(START)
        path.write_text(f"{before}{START}{results(readme)}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
