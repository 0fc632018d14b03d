"""Formats that Ultralytics exports to: what each needs, how a model becomes one, and how its file is run."""
