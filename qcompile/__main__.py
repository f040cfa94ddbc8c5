"""`python -m qcompile` is `qcompile`."""

from __future__ import annotations

from qcompile.cli import main

if __name__ == "__main__":
    main(prog_name="qcompile")
