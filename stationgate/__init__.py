"""What the command lines of this distribution share: language, options, exit codes, redaction.

Knows no protocol. Import from the submodules; only the version lives here.
"""

__version__ = "0.1.0.dev0"

__all__ = ["__version__"]
