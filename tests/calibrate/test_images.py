"""Images through --preprocess: the text form, the pixels, the misfits."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qcompile.calibrate.sources import InputSpec, Preprocess, open_feeds
from qcompile.calibrate.sources.preprocess import parse_preprocess
from qcompile.errors import CalibrationError

SPECS = [InputSpec("image", np.dtype(np.float32), ("batch", 3, 4, 6))]


def picture(path: Path, height: int, width: int) -> np.ndarray:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize("numbers", ["0.485/0.456/0.406", "0.485;0.456;0.406", "0.485,0.456,0.406"])
def test_the_text_form(numbers: str) -> None:
    assert parse_preprocess(f"resize=256,crop=224,mean={numbers},std=0.5,layout=nhwc,bgr,scale=255") == Preprocess(
        resize=256, crop=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.5,), layout="nhwc", colors="bgr", scale=255.0
    )
    assert parse_preprocess("resize=4x6") == Preprocess(resize=(4, 6))
    assert parse_preprocess("") == Preprocess()


KNOWN = "(known: resize, crop, mean, std, scale, layout, rgb, bgr, gray)"
WRONG = {
    "size=3": f"unknown part 'size=3' in --preprocess {KNOWN}",
    "mean": f"unknown part 'mean' in --preprocess {KNOWN}",
    "resize=256,224": f"unknown part '224' in --preprocess {KNOWN}",
    "resize=0": "unusable resize=0 in --preprocess (expected N or HxW, in pixels)",
    "crop=1x2x3": "unusable crop=1x2x3 in --preprocess (expected N or HxW, in pixels)",
    "mean=a": "unusable mean=a in --preprocess (expected numbers separated by /)",
    "mean=nan": "unusable mean=nan in --preprocess (expected finite numbers)",
    "mean=0.1/0.2": "unusable mean=0.1/0.2 in --preprocess (2 numbers for 3 channels)",
    "mean=0.1/0.2/0.3,gray": "unusable mean=0.1/0.2/0.3 in --preprocess (3 numbers for 1 channels)",
    "mean=123.7": "unusable mean=123.7 in --preprocess "
    "(beyond 1 after the division by 255; for means in pixels add scale=1)",
    "std=0": "unusable std=0 in --preprocess (expected numbers above 0)",
    "scale=1/2": "unusable scale=1/2 in --preprocess (expected one number)",
    "layout=chwn": "unusable layout=chwn in --preprocess (expected nchw or nhwc)",
    "rgb,bgr": "colors given twice in --preprocess (rgb and bgr)",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_part_is_named(text: str) -> None:
    with pytest.raises(CalibrationError, match=f"^{re.escape(WRONG[text])}$"):
        parse_preprocess(text)


def test_pixels_become_the_input(tmp_path: Path) -> None:
    pixels = picture(tmp_path / "b.png", 4, 6)
    picture(tmp_path / "a.PNG", 4, 6)
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])
    feeds = open_feeds(tmp_path, SPECS, preprocess="mean=0.1/0.2/0.3,std=0.4/0.5/0.6")
    assert len(feeds) == 2
    expected = ((pixels / 255 - mean) / std).transpose(2, 0, 1)[None]
    assert feeds[1]["image"].dtype == np.float32
    np.testing.assert_allclose(feeds[1]["image"], expected, atol=1e-6)


def test_layout_and_colours(tmp_path: Path) -> None:
    pixels = picture(tmp_path / "a.png", 4, 6).astype(np.float32)
    load = [parse_preprocess(f"scale=1,{rest}").load(tmp_path / "a.png") for rest in ("layout=nhwc,bgr", "gray")]
    np.testing.assert_array_equal(load[0], pixels[None, :, :, ::-1])
    assert load[1].shape == (1, 1, 4, 6)
    np.testing.assert_allclose(load[1][0, 0], pixels @ np.array([0.299, 0.587, 0.114]), atol=1)


def test_the_shorter_side_is_resized_and_the_middle_kept(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    steps = parse_preprocess("resize=10,crop=4x6")
    wide, tall = steps.load(tmp_path / "wide.png"), steps.load(tmp_path / "tall.png")
    assert wide.shape == tall.shape == steps.shape(tmp_path / "wide.png") == (1, 3, 4, 6)
    assert (wide[..., :2] < 0.1).all()
    assert (wide[..., 4:] > 0.9).all()
    assert (tall[:, :, 0] < 0.1).all()
    assert (tall[:, :, 3] > 0.9).all()
    resized = parse_preprocess("resize=10")
    assert resized.load(tmp_path / "tall.png").shape == resized.shape(tmp_path / "tall.png") == (1, 3, 20, 10)


def refused(line: str, folder: Path, preprocess: str | None, specs: list[InputSpec] = SPECS) -> None:
    pattern = re.escape(line).replace("FOLDER", r"[^\n()]*")
    with pytest.raises(CalibrationError, match=f"^{pattern}$"):
        list(open_feeds(folder, specs, preprocess=preprocess))


def test_misfits(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 4, 5)
    refused("images without instructions in FOLDER; add --preprocess resize=256,crop=224,...", tmp_path, None)
    line = "wrong shape of 'image' in FOLDERa.png ([1,3,4,5], the model wants [batch,3,4,6])"
    refused(line, tmp_path, "rgb")
    refused("image too small in FOLDERa.png (4x5, the crop is 4x6); resize first", tmp_path, "crop=4x6")
    text = InputSpec("ids", np.dtype(np.int64), (1, 5))
    refused("no single image input in the model (inputs of rank 4: none); give .npz files", tmp_path, "rgb", [text])
    line = "no array for input 'ids' in FOLDERa.png (it holds 'image')"
    refused(line, tmp_path, "resize=4x6", [*SPECS, text])


def test_what_is_no_image_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "a.png", 64, 64)
    content = (tmp_path / "a.png").read_bytes()
    for damaged in (b"text", content[: len(content) // 2]):
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(CalibrationError, match=r"^no readable image in .*a\.png \([^\n]+\)$"):
            list(open_feeds(tmp_path, SPECS, preprocess="resize=4x6"))
    (tmp_path / "a.png").write_bytes(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(CalibrationError, match=r"^no readable image in .*a\.png \(.*decompression bomb.*\)$"):
        open_feeds(tmp_path, SPECS, preprocess="resize=4x6")


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "a.png", 4, 6)
    monkeypatch.setitem(sys.modules, "PIL", None)
    refused("no Pillow to read images with; pip install qcompile[images]", tmp_path, "rgb")
