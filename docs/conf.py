"""Sphinx configuration.

One source tree holds both languages; ``-D language=zh_CN`` makes the words around the pages Chinese.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stationgate import __version__

project = "stationgate"
author = "The stationgate authors"
project_copyright = author
release = __version__
language = "en"

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
smartquotes = False  # "--json" must not become a dash

html_theme = "alabaster"
html_theme_options = {"description": "HJ 212 library, simulator, conformance suite", "page_width": "1080px"}
html_show_sphinx = False
