"""Compiles a model with two weights in another file, and prints the most memory that the process ever owned.

`python large_model.py FOLDER MEGABYTES`, megabytes of one weight. What is mapped from files is the system's to take
back, and does not count. The files are sparse: zeros but for a few numbers.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

HIDDEN = 1 << 14
"""More products than in 2**16 could overflow the int32 sum."""


def write(folder: Path, size: int) -> Path:
    """`y = Relu(x @ a) @ b` with float32 weights of so many bytes each."""
    width = size // 4 // HIDDEN
    weights = [_external("a", (width, HIDDEN), 0, size), _external("b", (HIDDEN, width), size, size)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name in "xy"]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "b"], ["y"], "second"),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    rng = np.random.default_rng(0)
    with (folder / "weights").open("wb") as file:
        file.truncate(2 * size)
        for start in range(0, 2 * size, size // 64):
            file.seek(start)
            file.write(rng.normal(size=1024).astype(np.float32).tobytes())
    return folder / "model.onnx"


def _external(name: str, shape: tuple[int, int], offset: int, length: int) -> TensorProto:
    tensor = TensorProto(
        name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.DataLocation.EXTERNAL
    )
    for key, value in (("location", "weights"), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


class Watch:
    """The most anonymous memory, in bytes, that the process has while this is open."""

    def __enter__(self) -> Watch:
        self.most, self._end = self._now(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.002):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def main(folder: Path, size: int) -> None:
    """Compile, save, and print what is to be known."""
    import qcompile
    from qcompile.api import compilation

    compilation.LARGE = min(compilation.LARGE, size)
    path = write(folder, size)
    feeds = [{"x": np.random.default_rng(n).normal(size=(1, size // 4 // HIDDEN)).astype(np.float32)} for n in range(3)]
    with Watch() as watch:
        before = watch.most
        result = qcompile.compile(path, calib=feeds, format="qoperator")
        result.save(folder / "out.onnx")
    integer = [node.integer for node in result.operators]
    print(json.dumps({"memory": watch.most - before, "sqnr_db": result.sqnr_db, "integer": integer}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) << 20)
