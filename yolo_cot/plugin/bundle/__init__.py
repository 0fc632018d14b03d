"""Bundles: a trained model as a folder of safetensors, its YAML and a description, and no pickle at all.

best.bundle/weights.safetensors   every tensor of the model, in the checkpoint's own number format
best.bundle/model.yaml            the model YAML with the scale and the number of classes of this model
best.bundle/about.yaml            task, class names, width of the head's class branch; the training's arguments and the
                                  versions are information, of which nothing is used but the image size
"""

from .layout import SUFFIX
from .read import read
from .write import write

__all__ = ["SUFFIX", "read", "write"]
