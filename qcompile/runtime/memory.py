"""How much memory a model takes, measured in a process of its own, where nothing else is."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from qcompile.runtime.options import ONE_THREAD, Runtime
from qcompile.runtime.session import Feed

PEAK = "qcompile.runtime.peak"
"""The module that is run in the fresh process."""


def peak_memory(model: Path, feed: Feed, *, runtime: Runtime = ONE_THREAD) -> int | None:
    """Bytes by which the resident set grew, at most, while the model was loaded and run once.

    None where it is not known: the system does not tell, the process failed, or the feed holds what no .npz does
    (sequences, absent optionals, text, types that numpy lacks).
    """
    if not all(isinstance(value, np.ndarray) and value.dtype.kind in "biufc" for value in feed.values()):
        return None
    with tempfile.TemporaryDirectory(prefix="qcompile-") as folder:
        path = Path(folder) / "feed.npz"
        np.savez(path, np.array(list(feed), np.str_), *feed.values())  # by place: names may be those of its arguments
        words = [str(model.resolve()), str(path), str(runtime.threads)]
        words += [str(runtime.custom_ops.resolve())] if runtime.custom_ops else []
        # -P: the current folder is the user's, and nothing there is to be imported
        ended = subprocess.run([sys.executable, "-P", "-m", PEAK, *words], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        return None
    before, after = map(int, ended.stdout.split())
    return after - before
