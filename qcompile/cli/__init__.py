"""The command line: one file a command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from qcompile.cli.group import main as main
