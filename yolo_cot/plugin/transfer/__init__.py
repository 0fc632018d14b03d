"""Weight transfer between models whose rows differ: pair the rows, move the tensors, tell what is new and dropped."""

from .align import Layer, align, row_texts

__all__ = ["Layer", "align", "row_texts"]
