"""The front door from a shell: results on standard output, everything else on standard error.

One file a group of commands; ``root`` puts them together.
"""

from __future__ import annotations

from p5rec.cli.root import app, main

__all__ = ["app", "main"]
