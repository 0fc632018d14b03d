"""Everything that touches Ultralytics' internals."""

from .catalog.register import register
from .registration import install, installed, uninstall

__all__ = ["install", "installed", "register", "uninstall"]
