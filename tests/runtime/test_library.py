"""What onnxruntime says and sends by itself: nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="a home that nobody can write, root included")
def test_import_is_silent_where_nothing_can_be_kept() -> None:
    """It would complain, from a thread of its own, that no identifier of the machine can be stored."""
    code = "import qcompile.runtime, time; time.sleep(0.5)"
    left = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_"))}
    ended = subprocess.run([sys.executable, "-c", code], env=left | {"HOME": "/proc/none"}, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")
