"""Trains one of the shipped models and exports it: `python -m qcompile.models.train residual`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from qcompile import models
from qcompile.models.train import data
from qcompile.models.train.depthwise import Depthwise
from qcompile.models.train.encoder import Encoder
from qcompile.models.train.lstm import Lstm
from qcompile.models.train.residual import Residual

FOLDER = Path(models.__file__).parent
BATCH = 64


class Recipe(NamedTuple):
    """A network and how it is trained; folding constants on export would also fold BatchNorm into Conv."""

    network: Callable[[], nn.Module]
    epochs: int
    rate: float
    fold_constants: bool


RECIPES = {
    "residual": Recipe(Residual, epochs=16, rate=3e-3, fold_constants=False),
    "depthwise": Recipe(Depthwise, epochs=20, rate=3e-3, fold_constants=False),
    "encoder": Recipe(Encoder, epochs=120, rate=3e-3, fold_constants=True),
    "lstm": Recipe(Lstm, epochs=100, rate=3e-3, fold_constants=True),
}


def pixels(images: Tensor) -> Tensor:
    return images.float() / 255


def fit(network: nn.Module, epochs: int, rate: float) -> None:
    """Adam under a warm-up and a cosine to zero; every epoch sees each original under a new distortion."""
    images, labels, _, _ = data.split()
    steps = epochs * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.1)
    random = torch.Generator().manual_seed(2)
    network.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images), generator=random)[: steps // epochs * BATCH]
        for chosen in order.split(BATCH):
            logits = network(pixels(data.augment(images[chosen], random)))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.3f}", flush=True)


def export(network: nn.Module, path: Path, fold_constants: bool) -> None:
    """Writes the network with a dynamic batch and without the traces of where it was exported."""
    torch.onnx.export(
        network,
        (torch.zeros(2, 1, data.SIZE, data.SIZE),),
        path,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=20,
        do_constant_folding=fold_constants,
        dynamo=False,
    )
    model = onnx.load(path)
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main(name: str) -> None:
    """Makes `digits.npz` (name `data`) or trains, rates and exports one network."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    if name == "data":
        data.write(FOLDER / "digits.npz")
        return
    recipe = RECIPES[name]
    network = recipe.network()
    fit(network, recipe.epochs, recipe.rate)
    network.eval()
    with torch.no_grad():
        found = models.accuracy(name, lambda feed: [network(torch.from_numpy(feed["image"])).numpy()])
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{name}: accuracy {found:.4f}, {parameters} parameters")
    export(network, models.path(name), recipe.fold_constants)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m qcompile.models.train", description=__doc__)
    parser.add_argument("name", choices=["data", *RECIPES], help="what to make anew, in place")
    main(parser.parse_args().name)
