"""Multi-GPU training without a GPU: Ultralytics' own launch, with two real ranks on gloo and the CPU.

Ultralytics writes the script and starts it under torchrun, as for two GPUs. In the ranks four things are replaced, for
Ultralytics offers no choice: the process group is gloo's, the number of ranks is 2, the model is wrapped without device
numbers, and the validation of best.pt after the last epoch is left out, for it asks for the current CUDA device. The
replacement stands in a `sitecustomize` module that knows nothing of yolo_cot, so whether the ranks know the blocks
depends on the script alone.
"""

from __future__ import annotations

import inspect
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tests.entry_points import tiny
from tests.processes import environment, python

RANK = """
import atexit, os, sys

def on_cpu(trainer):
    import torch
    from torch import distributed
    parallel = torch.nn.parallel

    class OnCPU(parallel.DistributedDataParallel):
        def __init__(self, module, device_ids=None, **more):
            super().__init__(module, **more)

    parallel.DistributedDataParallel = OnCPU
    start = trainer.BaseTrainer.__init__

    def init(self, *args, **kwargs):
        start(self, *args, **kwargs)
        self.world_size = 2

    def setup(self):
        distributed.init_process_group("gloo", rank=int(os.environ["RANK"]), world_size=2)
        # Gloo's threads end before the process does, or it may abort on its way out.
        atexit.register(distributed.destroy_process_group)
        said = "rank %d of %d on %s" % (distributed.get_rank(), distributed.get_world_size(), distributed.get_backend())
        sys.stdout.write(said + chr(10))  # one write: the ranks share the pipe
        sys.stdout.flush()

    trainer.BaseTrainer.__init__, trainer.BaseTrainer._setup_ddp = init, setup
    trainer.BaseTrainer.final_eval = lambda self: None

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "ultralytics.engine.trainer":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        spec = find_spec(name)
        load = spec.loader.exec_module
        def patched(module):
            load(module)
            on_cpu(module)
        spec.loader.exec_module = patched
        return spec

if "LOCAL_RANK" in os.environ:
    sys.meta_path.insert(0, Finder())
"""

PARENT = """
import sys
import yolo_cot
from yolo_cot.plugin import registration
from ultralytics.models.yolo.detect import DetectionTrainer
if {hooked} is False:
    # The log of the gates goes too: recent releases pickle the trainer's callbacks, and ours bring the package along.
    yolo_cot.uninstall()
    registration.HOOKS = [h for h in registration.HOOKS if h.__name__ not in ("ddp_children", "gate_log")]
    yolo_cot.install()
overrides = dict(model={model!r}, data={data!r}, epochs=1, imgsz=64, batch=4, device="cpu", workers=0, plots=False,
                 amp=False, project={project!r}, name="t", exist_ok=True, val=True)
trainer = DetectionTrainer(overrides=overrides)
trainer.ddp, trainer.world_size = True, 2
trainer.train()
"""


def needs_cloudpickle() -> bool:
    """Whether multi-GPU training cannot start here, for want of a package that Ultralytics does not declare."""
    from ultralytics.utils import dist

    source = inspect.getsource(inspect.unwrap(dist.generate_ddp_file))
    return "cloudpickle" in source and find_spec("cloudpickle") is None


def train(folder: Path, model: str, hooked: bool = True) -> subprocess.CompletedProcess:
    """Train a model on two ranks for one epoch; with `hooked` False, without our hooks that reach the ranks.

    Returns:
        The finished parent, whatever its status; its output holds what the ranks printed.
    """
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(RANK)
    data = tiny.data(folder / "d")
    code = PARENT.format(hooked=hooked, model=model, data=str(data), project=str(folder / "runs"))
    path = os.pathsep.join([str(folder / "site"), environment()["PYTHONPATH"]])
    return python(code, cwd=folder, status=None, PYTHONPATH=path)
