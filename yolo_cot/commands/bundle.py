"""`yolo-cot bundle best.pt`: write a checkpoint as safetensors with YAML, names and versions, without any pickle."""

from __future__ import annotations

from ..plugin.bundle import write


def main(overrides: dict[str, object]) -> None:
    """Write the bundle and say where.

    Args:
        overrides: `model`, the checkpoint; `out`, the folder (beside the checkpoint by default).

    Raises:
        ValueError: an argument that does not exist, or no checkpoint.
        FileNotFoundError: there is no such checkpoint.
    """
    unknown = set(overrides) - {"model", "out"}
    if unknown:
        raise ValueError(f"yolo-cot bundle takes model= and out=; got {', '.join(sorted(unknown))}.")
    if not overrides.get("model"):
        raise ValueError("yolo-cot bundle needs a checkpoint. Example: yolo-cot bundle best.pt.")
    out = overrides.get("out")
    folder = write(str(overrides["model"]), str(out) if out else None)
    print(f"Wrote {folder}. It opens as YOLO('{folder}') after `import yolo_cot`, and as model={folder} in yolo-cot.")
