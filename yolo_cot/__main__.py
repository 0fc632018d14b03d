"""`python -m yolo_cot` is the `yolo-cot` command."""

from .cli import main

main()
