"""`python -m qcompile.runtime.peak MODEL FEED.npz THREADS [LIBRARY]`: memory of a process that runs one model once.

The first array of the feed holds the names of the others. Prints two numbers, bytes of the highest resident set:
before the model was loaded, and after it ran.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np

from qcompile.runtime.options import Runtime
from qcompile.runtime.session import Session


def highest_resident_set() -> int:
    """Bytes of memory that this process held at most. Raises ImportError where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        status = ""
    # Asked first: on Linux getrusage also counts what the process was before it became this program.
    if found := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
        return 1024 * int(found.group(1))
    resource = importlib.import_module("resource")  # not on Windows
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def main(model: str, feed: str, threads: str, library: str | None = None) -> None:
    """Run the model once and print the two numbers."""
    with np.load(feed) as arrays:
        names, *values = (arrays[f"arr_{number}"] for number in range(len(arrays.files)))
    given = dict(zip(names.tolist(), values, strict=True))
    runtime = Runtime(int(threads), Path(library) if library else None)
    before = highest_resident_set()
    Session(Path(model), runtime).run(given)
    print(before, highest_resident_set())


if __name__ == "__main__":
    main(*sys.argv[1:])
