"""Every reason has a sentence for people."""

from __future__ import annotations

import pytest

from qcompile.plan import Code, Reason


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_sentence(code: Code) -> None:
    text = Reason(code).text
    assert text
    assert text[0].islower()
    assert not text.endswith(".")
    assert "\n" not in text


def test_codes_say_different_things() -> None:
    assert len({Reason(code).text for code in Code}) == len(Code)


def test_the_detail_stands_in_brackets() -> None:
    assert Reason(Code.EXCLUDED, "Conv_1").text == "an option or a rule excludes it (Conv_1)"
    assert str(Reason(Code.EXCLUDED, "Conv_1")) == "excluded: an option or a rule excludes it (Conv_1)"


def test_a_hint_says_what_would_change_it() -> None:
    assert Reason(Code.NO_RANGE).hint == "give calibration data that reaches it"
    assert Reason(Code.NOT_FLOAT).hint == ""
