"""The blocks. Their import paths are part of the checkpoint format and never change."""

from .control import GatedConv
from .cot import CoTAttention
from .cot_block import CoTBlock, CoXtBlock
from .cotnet import CoTNetStage, CoTNetStem, PooledClassify
from .csp import C3k2CoT, C3k2CoTBlock, C3k2Outlook
from .local_self_attention import LocalSelfAttention
from .outlook import OutlookAttention
from .outlooker import Outlooker
from .volo import VOLODownsample, VOLOPosition, VOLOStem, VOLOTransformer
from .volo_head import VOLOHead

__all__ = [
    "C3k2CoT",
    "C3k2CoTBlock",
    "C3k2Outlook",
    "CoTAttention",
    "CoTBlock",
    "CoTNetStage",
    "CoTNetStem",
    "CoXtBlock",
    "GatedConv",
    "LocalSelfAttention",
    "OutlookAttention",
    "Outlooker",
    "PooledClassify",
    "VOLODownsample",
    "VOLOHead",
    "VOLOPosition",
    "VOLOStem",
    "VOLOTransformer",
]
