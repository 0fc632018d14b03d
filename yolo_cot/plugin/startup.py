"""The start-up line: lets every Python of an environment register the blocks when it first imports Ultralytics.

The line runs this file by its path, so that nothing is imported until Ultralytics' model builder is; it therefore uses
the standard library alone. A Python that never imports Ultralytics only gets one more entry in `sys.meta_path`.
"""

import sys

# The blocks are registered after the first; after the second so is what belongs to the class that it defines, for the
# first may be imported while the second is still on its way.
AWAITED = ("ultralytics.nn.tasks", "ultralytics.engine.model")


class Finder:
    """Waits for two imports and registers the blocks as soon as each module has been executed; then it is gone."""

    def __init__(self, root):
        self.root = root
        self.awaited = set(AWAITED)

    def find_spec(self, name, path=None, target=None):
        """Answer for an awaited module alone: the spec that others find, with a loader that registers afterwards."""
        if name not in self.awaited:
            return None
        self.awaited.discard(name)
        if not self.awaited:
            sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module):
            load(module)
            register(self.root)

        setattr(spec.loader, "exec_module", load_and_register)  # noqa: B010  (a method, as type checkers see it)
        return spec


def register(root):
    """Import the package, which registers the blocks; if it refuses, say why and leave Ultralytics alone.

    Args:
        root: folder that holds the package; it goes last in `sys.path`, so it shadows nothing.
    """
    if root not in sys.path:
        sys.path.append(root)
    try:
        import yolo_cot

        yolo_cot.install()
    except ImportError as error:
        print(f"yolo_cot is enabled here and could not register its blocks: {error}", file=sys.stderr)
    except AttributeError:
        # The package itself is being imported, and registers when it has been.
        if hasattr(sys.modules.get("yolo_cot"), "install"):
            raise


def wait(root):
    """Put the finder in front of the others, once; nothing if Ultralytics has been imported already."""
    if AWAITED[0] not in sys.modules and not any(type(finder).__name__ == Finder.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder(root))


if __name__ == "__yolo_cot_startup__":
    wait(globals()["root"])
