"""Everything that touches Ultralytics' internals."""

from .registration import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
