"""Train a detector with attention blocks, validate it, draw what it finds, export it to ONNX and check the file.

    python train_det.py
    python train_det.py model=yolo11n-outlook.yaml epochs=3
    python train_det.py model=yolo11s-cot.yaml data=coco8.yaml epochs=3 imgsz=320

The first trains yolo11n-cot from scratch on the embedded set of drawn shapes: no network, a few minutes on two CPU
cores. The last fetches Ultralytics' eight pictures of COCO. `model=`, `data=` and every train argument of Ultralytics
are taken, written as for `yolo`: the embedded set is trained with settings that suit it unless they are given, any
other with Ultralytics' defaults. The weights, a picture of detections and the ONNX file end up in the run's folder,
which is printed last.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Read key=value arguments and do it all."""
    if {"-h", "--help", "help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    try:
        from yolo_cot.commands.arguments import read
        from yolo_cot.commands.quickstart import Arguments, run

        outcome = run(read(Arguments, sys.argv[1:]))
    except (ValueError, TypeError, FileNotFoundError, ImportError, SyntaxError) as error:
        if not str(error):
            raise
        sys.exit(f"train_det.py: {error}")
    print(f"\n{outcome}")
    sys.exit(1 if outcome.problem else 0)


if __name__ == "__main__":
    main()
