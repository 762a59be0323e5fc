"""Tables as Markdown and LaTeX; every text here was set by pdfLaTeX once, and came out as it is."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from dnn_topology._table_forms import GREEK, in_latex, table_text

NAMES = [
    "a_b & 50% #1 {x} ~ ^ $5",
    "<b>bold</b> | `code` \\",
    "*starred* _under_ ~~struck~~ [a](b)",
    "line\nbreak\tand tab",
    "--graph part0",
    '"quoted", and a comma',
]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_user_has_called_something_is_what_markdown_shows(name: str) -> None:
    text = table_text(pd.DataFrame({name: [name], "p": ["0.041 [-0.1, 0.2]"]}), "md")
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    cells = [token for token in tokens if token.type == "inline"]
    plain = ["".join(child.content for child in cell.children or ()) for cell in cells]
    assert {child.type for cell in cells for child in cell.children or ()} == {"text"}
    shown = " ".join(name.split())
    assert plain == [shown, "p", shown, "0.041 [-0.1, 0.2]"]


@pytest.mark.parametrize("name", NAMES)
def test_csv_holds_the_text_itself(name: str) -> None:
    text = table_text(pd.DataFrame({name: [name]}), "csv")
    assert [*csv.reader(io.StringIO(text))] == [[name], [name]]


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b & 50% #1 {x} $5", r"a\_b \& 50\% \#1 \{x\} \$5"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("d < 1 > |r|", r"d \textless{} 1 \textgreater{} \textbar{}r\textbar{}"),
        ("[1em] after a row", "{[}1em] after a row"),
        ("*", "{*}"),
        ("--graph", "-{}-graph"),
        ("0.10–0.20", "0.10--0.20"),
        ("-0.03 [-0.1, -.05] a-5 1e-5", "$-$0.03 {[}$-$0.1, $-$.05] a-5 1e-5"),
        ("1 − 2 ≤ ∞", r"1 $-$ 2 $\leq$ $\infty$"),
        ("β₁ ± 2", r"$\beta$$_1$ $\pm$ 2"),
        ("life λ (ε)", r"life $\lambda$ ($\varepsilon$)"),
        ("naïve Ä", "naïve Ä"),
        ("two\nlines", "two lines"),
    ],
)
def test_latex_prints_a_text_as_it_is(text: str, latex: str) -> None:
    assert in_latex(text) == latex


def test_no_greek_letter_is_left_to_latex() -> None:
    assert all(re.fullmatch(r"\$\\[A-Za-z]+\$", in_latex(letter)) for letter in GREEK)
    assert in_latex("ΛΩθ") == r"$\Lambda$$\Omega$$\theta$"


def test_every_row_of_a_latex_table_has_all_its_cells() -> None:
    text = table_text(pd.DataFrame(dict.fromkeys(NAMES, NAMES)), "latex")
    rows = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    assert len(rows) == len(NAMES)
    assert all(len(re.findall(r"(?<!\\)&", row)) == len(NAMES) - 1 for row in rows)
    assert all(row.endswith(r"\\") for row in rows)
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
