"""The start-up line: lets every Python of an environment register the blocks when it first imports Ultralytics.

The line runs this file by its path, so that nothing is imported until Ultralytics' model builder is; it therefore uses
the standard library alone. A Python that never imports Ultralytics only gets one more entry in `sys.meta_path`.
"""

import sys

AWAITED = "ultralytics.nn.tasks"


class Finder:
    """Registers the blocks as soon as Ultralytics' model builder has been executed; gone when nothing is left to do.

    The builder may be imported while other modules of Ultralytics are still on their way; what belongs to those is
    registered as each is done.
    """

    def __init__(self, root):
        self.root = root
        self.asking = self.started = False

    def find_spec(self, name, path=None, target=None):
        """Answer for Ultralytics' modules alone: the spec that others find, with a loader that registers afterwards."""
        if self.asking or not name.startswith("ultralytics."):
            return None
        from importlib.util import find_spec

        self.asking = True
        try:
            spec = find_spec(name)
        finally:
            self.asking = False
        loader = spec.loader if spec else None
        if loader is None or not hasattr(loader, "exec_module"):
            return spec
        load = loader.exec_module

        def load_and_register(module):
            load(module)
            self.started = self.started or name == AWAITED
            if self.started and self in sys.meta_path and register(self.root):
                sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

        setattr(loader, "exec_module", load_and_register)  # noqa: B010  (a method, as type checkers see it)
        return spec


def register(root):
    """Import the package, which registers the blocks; if it refuses, say why and leave Ultralytics alone.

    Args:
        root: folder that holds the package; it goes last in `sys.path`, so it shadows nothing.

    Returns:
        Whether nothing is left to do.
    """
    if root not in sys.path:
        sys.path.append(root)
    try:
        import yolo_cot

        if not hasattr(yolo_cot, "install"):
            return False  # the package itself set off this import, and registers when it is done
        yolo_cot.install()
        from yolo_cot.plugin.registration import waiting
    except ImportError as error:
        print(f"yolo_cot is enabled here and could not register its blocks: {error}", file=sys.stderr)
        return True
    return not waiting()


def wait(root):
    """Put the finder in front of the others, once; nothing if Ultralytics has been imported already."""
    if AWAITED not in sys.modules and not any(type(finder).__name__ == Finder.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder(root))


if __name__ == "__yolo_cot_startup__":
    wait(globals()["root"])
