"""What was probably meant by a command line that is neither ours nor Ultralytics'."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ..yaml_edit.recipe_names import nearest_name
from .verbs import VERBS


def nearest_verb(word: str, likeness: float = 0.6) -> str:
    """One line with the verb that a wrong word is nearest to; "" if it is near none.

    Args:
        word: the wrong word.
        likeness: how near is near, from 0 to 1. `benchmark` and `login`, which are Ultralytics', are 0.7 near to ours.
    """
    near = difflib.get_close_matches(word, VERBS, 1, likeness)
    return f"there is no command '{word}'. Did you mean '{near[0]}'? yolo-cot help names all." if near else ""


def suggestion(words: Sequence[str], error: Exception) -> str:
    """One line in the place of Ultralytics' answer, which ends in pages of help; "" where the error says enough.

    Args:
        words: the words of the command line.
        error: what became of them.
    """
    if not isinstance(error, SyntaxError) or not words or words[0] in VERBS:
        return ""
    answer = str(error).strip().splitlines()[0].strip()
    for word in words:
        if "=" in word or f"'{word}'" not in answer:
            continue
        if word == words[0] and (near := nearest_verb(word)):
            return near
        if model := nearest_name(word):
            return f"'{word}' has no place here. Write model={model}."
    return f"{answer} yolo-cot help names all commands."
