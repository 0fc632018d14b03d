"""The files of a bundle, and the kinds of model that one can hold."""

SUFFIX = ".bundle"
WEIGHTS, MODEL, ABOUT = "weights.safetensors", "model.yaml", "about.yaml"
# Task -> classes of Ultralytics, of which a bundle's model is one.
CLASSES = {
    "detect": ("DetectionModel", "RTDETRDetectionModel"),
    "segment": ("SegmentationModel",),
    "pose": ("PoseModel",),
    "obb": ("OBBModel",),
    "classify": ("ClassificationModel",),
}
# Keys of a model YAML that Ultralytics builds from; of its other keys nothing is kept.
MODEL_KEYS = {
    *("nc", "scales", "scale", "depth_multiple", "width_multiple", "activation", "kpt_shape", "reg_max", "end2end"),
    *("inplace", "channels", "ch", "yaml_file", "backbone", "head"),
}
