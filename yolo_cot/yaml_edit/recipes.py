"""The ideas that a name such as `yolo26n-cot-seg.yaml` can ask for: which blocks, at which places, with what arguments.

Adding an idea is one row of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Idea:
    """One row of the table.

    Attributes:
        name: what stands for it in a model's name.
        blocks: for each block its places, with blanks between them. `P5` is the last row of that level in the backbone,
            `neck.P4` the row of that level that the head reads.
        arguments: arguments of the blocks by name.
        replaces: the module whose place the blocks take, its last row of each level; "" where they are put in behind
            the level.
    """

    name: str
    blocks: Mapping[str, str]
    arguments: Mapping[str, object] = field(default_factory=dict)
    replaces: str = ""

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every block with each of its places, in order."""
        return [(block, place) for block, places in self.blocks.items() for place in places.split()]


_GATED = {"gate": 0.0}
# Window centres at stride 2, as in VOLO's networks.
_OUTLOOKER = {"stride": 2, "gate": 0.0}
_COARSE = "P4 P5 neck.P4 neck.P5"

IDEAS: dict[str, Idea] = {
    idea.name: idea
    for idea in (
        Idea("cot", {"CoTAttention": "P5 neck.P4"}, _GATED),
        Idea("cot-backbone", {"CoTAttention": "P3 P4 P5"}, _GATED),
        Idea("cot-neck", {"CoTAttention": "neck.P3 neck.P4 neck.P5"}, _GATED),
        Idea("outlook", {"OutlookAttention": "P5 neck.P4"}, _GATED),
        Idea("outlook-backbone", {"OutlookAttention": "P3 P4 P5"}, _GATED),
        Idea("outlook-neck", {"OutlookAttention": "neck.P3 neck.P4 neck.P5"}, _GATED),
        Idea("cot-outlook", {"CoTAttention": "P5", "OutlookAttention": "neck.P4"}, _GATED),
        Idea("cot-outlook-backbone", {"OutlookAttention": "P4", "CoTAttention": "P5"}, _GATED),
        Idea("cot-outlook-neck", {"OutlookAttention": "neck.P3", "CoTAttention": "neck.P4 neck.P5"}, _GATED),
        Idea("cotblock", {"CoTBlock": "P5 neck.P4"}, _GATED),
        Idea("cotblock-backbone", {"CoTBlock": "P3 P4 P5"}, _GATED),
        Idea("cotblock-neck", {"CoTBlock": "neck.P3 neck.P4 neck.P5"}, _GATED),
        Idea("outlooker", {"Outlooker": "P4 neck.P3"}, _OUTLOOKER),
        Idea("outlooker-backbone", {"Outlooker": "P3 P4"}, _OUTLOOKER),
        Idea("outlooker-neck", {"Outlooker": "neck.P3 neck.P4"}, _OUTLOOKER),
        Idea("c3k2cot", {"C3k2CoT": _COARSE}, replaces="C3k2"),
        Idea("c3k2cotblock", {"C3k2CoTBlock": _COARSE}, replaces="C3k2"),
        Idea("c3k2outlook", {"C3k2Outlook": _COARSE}, replaces="C3k2"),
    )
}
