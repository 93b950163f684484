"""Reports: one set of facts, one renderer per format."""

from __future__ import annotations

from .facts import Report, build

__all__ = ["Report", "build"]
