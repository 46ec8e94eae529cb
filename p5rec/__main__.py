"""Lets ``python -m p5rec`` do what the command ``p5rec`` does."""

from __future__ import annotations

from p5rec.cli import main

if __name__ == "__main__":
    main()
