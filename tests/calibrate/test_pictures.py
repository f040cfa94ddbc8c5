"""Made-up pictures have the statistics of natural ones."""

from __future__ import annotations

import numpy as np
import pytest

from qcompile.calibrate.pictures import picture


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_mean_and_variance_are_those_of_normalised_images() -> None:
    pixels = picture((2, 3, 40, 30), 1, None, rng())
    assert pixels.shape == (2, 3, 40, 30)
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), 0, atol=1e-9)
    np.testing.assert_allclose(pixels.std(axis=(1, 2, 3)), 1)


@pytest.mark.parametrize("high", [1.0, 255.0])
def test_pixels_stay_in_their_range(high: float) -> None:
    pixels = picture((1, 3, 64, 64), 1, (0, high), rng())
    assert pixels.min() >= 0
    assert pixels.max() <= high
    assert 0.3 * high < pixels.mean() < 0.6 * high


def test_the_amplitude_falls_with_the_frequency() -> None:
    pixels = picture((8, 1, 128, 128), 1, None, rng())
    amplitude = np.abs(np.fft.fft2(pixels))[:, 0].mean(axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    middle = (frequency > 2 / 128) & (frequency < 0.3)
    slope = np.polyfit(np.log(frequency[middle]), np.log(amplitude[middle]), 1)[0]
    assert -1.8 < slope < -0.8


def test_colours_go_with_brightness() -> None:
    pixels = picture((1, 3, 64, 64), 1, None, rng())[0].reshape(3, -1)
    assert np.corrcoef(pixels).min() > 0.6


def test_channels_lie_where_they_should() -> None:
    np.testing.assert_array_equal(
        picture((1, 20, 30, 3), 3, None, rng()), np.moveaxis(picture((1, 3, 20, 30), 1, None, rng()), 1, 3)
    )


def test_a_single_pixel_is_a_number() -> None:
    assert np.isfinite(picture((1, 1, 1, 1), 1, None, rng())).all()
