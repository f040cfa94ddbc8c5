"""Well-known networks in their real shapes, with seeded random weights: nothing is downloaded, torch is not needed."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.networks.bert import bert_base
from benchmarks.networks.builder import ABSENT, Builder, Feed, Network, Value
from benchmarks.networks.efficientnet import efficientnet_b0
from benchmarks.networks.mobilenet import mobilenet_v2
from benchmarks.networks.resnet import resnet50
from benchmarks.networks.swin import swin_t
from benchmarks.networks.vit import vit_s16

__all__ = ["ABSENT", "NETWORKS", "Builder", "Feed", "Network", "Value"]

NETWORKS: dict[str, Callable[[], Network]] = {
    build.__name__: build for build in (resnet50, mobilenet_v2, efficientnet_b0, vit_s16, swin_t, bert_base)
}
