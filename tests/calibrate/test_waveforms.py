"""Made-up recordings have the course of speech."""

from __future__ import annotations

import numpy as np

from qcompile.calibrate.waveforms import RATE, recording


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_recordings_differ_in_loudness_and_stay_within_full_scale() -> None:
    peaks = [float(abs(recording(RATE, number, rng())).max()) for number in range(5)]
    np.testing.assert_allclose(peaks, [1, 0.3, 0.1, 0.03, 1])


def test_a_recording_repeats_with_its_seed() -> None:
    np.testing.assert_array_equal(recording(500, 0, rng()), recording(500, 0, rng()))


def test_most_power_is_where_that_of_voices_is() -> None:
    power = np.abs(np.fft.rfft(recording(8 * RATE, 0, rng()))) ** 2
    frequency = np.fft.rfftfreq(8 * RATE, 1 / RATE)
    assert power[(frequency > 80) & (frequency < 3500)].sum() > 0.9 * power.sum()


def test_there_are_pauses_and_bursts() -> None:
    frames = recording(8 * RATE, 0, rng()).reshape(-1, 160).std(1)
    assert np.quantile(frames, 0.1) < 0.05 * np.quantile(frames, 0.95)


def test_a_recording_may_be_short() -> None:
    assert recording(1, 0, rng()).shape == (1,)
    assert recording(0, 0, rng()).shape == (0,)
