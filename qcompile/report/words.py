"""Names and numbers in words that a terminal can show."""

from __future__ import annotations


def one_line(text: str) -> str:
    """The text on one line, control characters escaped: names in a model are whatever its author wrote."""
    joined = " ".join(text.split()) if any(c in text for c in "\n\r\t\v\f") else text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)


def short(name: str, width: int = 24) -> str:
    """A name of at most `width` characters; exporters put what tells nodes apart at the end, so that is kept."""
    shown = one_line(name)
    return shown if len(shown) <= width else f"..{shown[2 - width :]}"


def megabytes(size: int) -> str:
    """Bytes in kB, MB or GB, decimal."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.2f} {unit}"
    return f"{size / 1e3:.1f} kB"


def number(count: int) -> str:
    """A count in thousands or millions."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return str(count)
