"""The blocks. Their import paths are part of the checkpoint format and never change."""

from .cot import CoTAttention
from .csp import C3k2CoT, C3k2Outlook
from .outlook import OutlookAttention

__all__ = ["C3k2CoT", "C3k2Outlook", "CoTAttention", "OutlookAttention"]
