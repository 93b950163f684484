"""The cases, a module for each group of requirements; importing this package registers them all, in report order."""

from __future__ import annotations

from . import link, framing, header, values, openings, states, reports, outage  # noqa: F401, I001  # report order

__all__: list[str] = []
