"""What pooling and transposed convolution must be like to be a convolution."""

from __future__ import annotations

from qcompile.targets.table import NodeFacts


def channels_are_known(facts: NodeFacts) -> bool:
    """Whether the channels of an image can be counted: each gets a kernel of its own."""
    shape = facts.shape(0) or ()
    return len(shape) > 2 and shape[1] is not None


def averages_whole_windows(facts: NodeFacts) -> bool:
    """Whether all means of an AveragePool are over as many numbers: padding counts, no window is cut at the end."""
    attributes = facts.attributes
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    if any(attributes.get("pads", ())) and not attributes.get("count_include_pad"):
        return False
    return not attributes.get("ceil_mode") or _fills_its_input(facts)


def _fills_its_input(facts: NodeFacts) -> bool:
    """Whether the last windows end where the padded input does, so that there is nothing to round up."""
    kernel = facts.attributes["kernel_shape"]
    axes, sizes = len(kernel), (facts.shape(0) or ())[2:]
    strides, dilations = (facts.attributes.get(name) or (1,) * axes for name in ("strides", "dilations"))
    pads = facts.attributes.get("pads") or (0, 0) * axes
    if len(sizes) != axes:
        return False
    for axis, size in enumerate(sizes):
        extent = dilations[axis] * (kernel[axis] - 1) + 1
        if size is None or (size + pads[axis] + pads[axis + axes] - extent) % strides[axis]:
            return False
    return True


def spreads_square_blocks(facts: NodeFacts) -> bool:
    """Whether a ConvTranspose makes square blocks of an image, each of one pixel: DepthToSpace can spread them."""
    weight, attributes = facts.shape(1) or (), facts.attributes
    if len(weight) != 4 or attributes.get("group", 1) != 1:
        return False
    return len(set(attributes.get("strides", (1,)))) == 1 and set(attributes.get("dilations", (1,))) == {1}


def cut_by_pads(facts: NodeFacts) -> bool:
    """Whether pads, as numbers, cut the output of a ConvTranspose, each by less than the kernel adds."""
    weight, attributes = facts.shape(1) or (), facts.attributes
    if "output_shape" in attributes or attributes.get("auto_pad", "NOTSET") != "NOTSET":
        return False
    pads = attributes.get("pads", (0,) * 4)
    return all(pad < (size or 0) for pad, size in zip(pads, weight[2:] * 2, strict=True))
