"""What was asked for and is missed, as a sentence; None where it is met, or nothing was asked."""

from __future__ import annotations

from qcompile.report.results import Fidelity, Measured


def sqnr_miss(worst: Fidelity | None, min_sqnr: float | None) -> str | None:
    """The lowest output against its budget in dB; a copied model, which has none compared, misses nothing."""
    if min_sqnr is None or worst is None or worst.sqnr_db >= min_sqnr:  # NaN misses every budget
        return None
    return f"SQNR of output {worst.name!r} is {worst.sqnr_db:.1f} dB, below {min_sqnr:g} dB"


def agreement_miss(agreement: float | None, min_agreement: float | None) -> str | None:
    """Shares, 0..1; models whose outputs have no classes agree on none."""
    if min_agreement is None or (agreement is not None and agreement >= min_agreement):
        return None
    got = "no output has classes" if agreement is None else f"agreement is {agreement:.1%}"
    return f"{got}, below {min_agreement:.1%}"


def loss_miss(metric: Measured | None, max_loss: float | None) -> str | None:
    """The metric's loss against its budget, both in percent; a copied model is not measured and loses nothing."""
    if metric is None or max_loss is None or metric.loss_pct <= max_loss:
        return None
    figures = f"{metric.candidate:.4g} instead of {metric.reference:.4g}"
    return f"{metric.name} loses {metric.loss_pct:.2f} % ({figures}), above {max_loss:g} %"
