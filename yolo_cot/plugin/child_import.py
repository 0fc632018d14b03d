"""What a process that Ultralytics starts runs before anything else, so that it knows the blocks."""

from ..paths import PACKAGE_ROOT

# The package may be a checkout that only the parent's sys.path knows; it goes last, so it shadows nothing.
CHILD_IMPORT = f"import sys; sys.path.append({str(PACKAGE_ROOT)!r}); import yolo_cot"
