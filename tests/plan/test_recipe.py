"""Recipes as they are written, and the one line that each mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcompile.errors import RecipeError
from qcompile.plan import Decision, Form, Plan, dumps, load_recipe, parse_recipe

RECIPE = """\
# all products
[[rule]]
op = ["MatMul", "Gemm"]
observer = "percentile"
granularity = "per-tensor"

[[rule]]                       # [[rule]] in a comment is none
name = "^head"
between = [
    "features",
    "logits",
]
precision = "float"

[[rule]]
plan = '''
  "conv1": {
   "form": "dynamic"
  },
  "conv2": {
   "form": "float",
   "reason": "kept-for-accuracy",
   "detail": "its input in 8 bits has 12 dB"
  },
'''
symmetric = true
"""


def test_rules_come_in_order_with_their_lines() -> None:
    first, second, third = parse_recipe(RECIPE, "r.toml").rules
    assert (first.op, first.observer, first.granularity) == (("MatMul", "Gemm"), "percentile", "per-tensor")
    assert (first.at(), first.at("op"), first.at("granularity")) == ("r.toml:2", "r.toml:3", "r.toml:5")
    assert second.name is not None
    assert second.name.search("head/MatMul")
    assert (second.between, second.precision, second.at("precision")) == (("features", "logits"), "float", "r.toml:13")
    assert third.plan == {"conv1": Form.DYNAMIC, "conv2": Form.FLOAT}
    assert (third.symmetric, third.at("symmetric")) == (True, "r.toml:26")


def test_a_rule_without_a_key_leaves_it_open() -> None:
    (rule,) = parse_recipe("[[rule]]\nskip = false\n").rules
    assert (rule.skip, rule.symmetric, rule.precision, rule.op) == (False, None, None, ())


def test_every_node_of_a_saved_plan_can_be_pasted() -> None:
    plan = Plan("cpu", nodes={form.value: Decision(form) for form in Form})
    text = dumps(plan)
    pasted = text[text.index('"nodes": {') + len('"nodes": {') : text.index('"values"')].rstrip().removesuffix("},")
    (rule,) = parse_recipe(f"[[rule]]\nplan = '''{pasted}'''").rules
    assert rule.plan == {form.value: form for form in Form}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[rule]]\nop = Conv", r"^no TOML in r\.toml:2 \(Invalid value\); mend that line$"),
        ("[[rule]]\nop = 'Conv", r"^no TOML in r\.toml:2 \(.*\); mend that line$"),
        ("", r"^no \[\[rule\]\] in r\.toml \("),
        ("rule = [{op = 'Conv', skip = true}]", r"^no \[\[rule\]\] in r\.toml \("),
        ("[rule]\nop = 'Conv'", r"^no \[\[rule\]\] in r\.toml \("),
        ("\n[rules]\nop = 'Conv'", r"^unknown key 'rules' in r\.toml:2 \(a recipe holds rules alone\); begin"),
        (
            "[[rule]]\nop = 'Conv'\nskip = true\n[[rule]]\n\nprecison = 'float'",
            r"^unknown key 'precison' in r\.toml:6 \(a rule has name, op, .*\); write precision$",
        ),
        ("[[rule]]\nequalise = true", r"^unknown key 'equalise' in r\.toml:2 \(.*\); drop it$"),
        ("[[rule]]\nprecision = 16", r"^bad precision 16 in r\.toml:2 \(it is float or int8\); mend"),
        ("[[rule]]\nprecision = 'int4'", r"^bad precision 'int4' in r\.toml:2 \(it is float or int8\); mend"),
        ("[[rule]]\nobserver = 'best'", r"^bad observer 'best' in r\.toml:2 \(it is min-max, percentile, mse or ent"),
        ("[[rule]]\nskip = 1", r"^bad skip 1 in r\.toml:2 \(it is true or false\)"),
        ("[[rule]]\nname = '(x'", r"^bad name '\(x' in r\.toml:2 \(no regular expression: missing \), "),
        ("[[rule]]\nop = []", r"^bad op \[\] in r\.toml:2 \(it is a text or a list of texts\)"),
        ("[[rule]]\nbetween = ['a']", r"^bad between \['a'\] in r\.toml:2 \(it is a list of two names of values\)"),
        ("[[rule]]\nplan = '\"a\": {}'", r"^bad plan .* in r\.toml:2 \(it is a line of `nodes` in a saved plan"),
        ('[[rule]]\nplan = \'"a": {"form": "int"}\'', r"^bad plan .* in r\.toml:2 \(it is a line of"),
        ("[[rule]]\nplan = '[1]'", r"^bad plan .* in r\.toml:2 \(it is a line of"),
        (
            "\n[[rule]]\nop = 'Conv'",
            r"^rule that asks for nothing in r\.toml:2 \(it has none of plan, precision, skip, ",
        ),
        ("[[rule]]\nskip = true\nprecision = 'int8'", r"^precision beside skip in r\.toml:1 \("),
        ('[[rule]]\nop = \'A\'\nplan = \'"a": {"form": "float"}\'', r"^plan beside op in r\.toml:1 \("),
    ],
)
def test_mistakes_are_one_line(text: str, line: str) -> None:
    with pytest.raises(RecipeError, match=line) as caught:
        parse_recipe(text, "r.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'note = """\n[[rule]]\n"""\n[[rule]]\nskip = true',
        "[[rule]]\nplan = '''\n[[rule]]\nskip = \n'''",
        "[[rule]]\nskip = true # '''\n[[rule]]\nprecision = 'int9'",
        "[[rule]]\r\nname = \"it's\"\r\nskip = true\r\n[[rule]]\r\nop = \"x # y ''' \"\r\nprecision = 'int9'",
    ],
)
def test_texts_and_comments_do_not_shift_lines(text: str) -> None:
    lines = text.splitlines()
    wrong = next(n for n, line in enumerate(lines, 1) if line.startswith(("note", "plan", "precision")))
    with pytest.raises(RecipeError, match=rf"\br\.toml:{wrong} "):
        parse_recipe(text, "r.toml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^cannot read recipe .*gone\.toml \("):
        load_recipe(tmp_path / "gone.toml")
    (tmp_path / "r.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match=r"^cannot read recipe .*r\.toml \("):
        load_recipe(tmp_path / "r.toml")
