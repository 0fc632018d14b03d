"""Write the tables that are made from other files into READMEs and pages: `python -m docs.tables`.

The tables of arguments, behind `<!-- arguments: VERB -->` on any page, are those that the verbs declare. Of the results
in the READMEs, parameters and GFLOPs are those of the configs' headers, times come from docs/bench.md, accuracy from
docs/evidence.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from yolo_cot.commands.arguments.tables import markdown_table
from yolo_cot.commands.verbs import load

ROOT = Path(__file__).resolve().parents[1]
# Config -> the one block that it adds; "" where there are two.
CONFIGS = {
    "yolo11-cot": "CoTAttention",
    "yolo11-outlook": "OutlookAttention",
    "yolo11-cotblock": "CoTBlock",
    "yolo11-cot-outlook": "",
}
RUNTIMES = ("PyTorch", "onnxruntime")
START, END = "<!-- results: made by python -m docs.tables -->\n", "<!-- results: end -->\n"
ARGUMENTS = re.compile(r"(<!-- arguments: (\w+) -->\n).*?(<!-- arguments: end -->\n)", re.S)
HEADS = {
    "README.md": ("config", "parameters", "GFLOPs", "time", "trained as a whole", "blocks alone", "not measured"),
    "README.zh-CN.md": ("配置", "参数量", "GFLOPs", "耗时", "整体训练", "只训练模块", "未测"),
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
    rows = re.findall(r"^\| (yolo11n[\w-]*) \| (\w+) \| [\d.]+ \| ([\d.]+) \|", text, re.M)
    return {(model, runtime): f"{float(ratio):.2f}" for model, runtime, ratio in rows}


def trained() -> dict[str, str]:
    """Model -> difference of mAP50-95 to plain yolo11n, in points, both trained as a whole, on BCCD."""
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    bccd = text.partition("<!-- settled: bccd -->")[2].partition("<!-- settled: end -->")[0]
    rows = re.findall(r"^\| (\S+) against yolo11n \| \d+ \| (\S+) \| ([^|]+) \|", bccd, re.M)
    return {model: f"{points} ({interval})" for model, points, interval in rows}


def alone() -> dict[str, str]:
    """Block -> difference of mAP50-95 to plain yolo11n, in points, where all but the blocks is frozen in both.

    That is the positive control, in which the layer of the classes is trained, too.
    """
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| (\w+) \| \d+ \|(?:[^|]*\|){3} (\S+ \([^)]*\)) \| \S+ \([^)]*\) \|$", text, re.M))


def results(readme: str) -> str:
    """The table of results of a README, in its language."""
    *head, missing = HEADS[readme]
    ratios, whole, blocks = times(), trained(), alone()
    rows = [head, ["---", *("--:" for _ in head[1:])]]
    rows.append(["yolo11n", *sizes("yolo11-cot")[1], " / ".join("1.00" for _ in RUNTIMES), "0", "0"])
    for name, block in CONFIGS.items():
        model = name.replace("yolo11", "yolo11n")
        took = " / ".join(ratios.get((model, runtime), missing) for runtime in RUNTIMES)
        rows.append([model, *sizes(name)[0], took, whole.get(model, missing), blocks.get(block, missing)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_arguments(page: str) -> str:
    """A page with the tables of arguments that it asks for."""
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
