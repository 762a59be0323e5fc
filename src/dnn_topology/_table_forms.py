"""Tables of text as Markdown, LaTeX and CSV, so that what a user has called something is printed as it is."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
ROUND = {"ε": "varepsilon", "φ": "varphi", "λ": "lambda", "Λ": "Lambda"}  # called otherwise, or LAMDA, in Unicode
MATHS = {
    "−": "-",
    "±": r"\pm",
    "×": r"\times",
    "²": "^2",
    "³": "^3",
    "≤": r"\leq",
    "≥": r"\geq",
    "≈": r"\approx",
    "≠": r"\neq",
    "∞": r"\infty",
    "√": r"\surd",
    "→": r"\to",
    **{letter: f"_{number}" for number, letter in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
JOINER = "\N{WORD JOINER}"
# What LaTeX takes for a command, or prints as another letter in its usual font.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # after the end of a row it would begin an option
    "*": "{*}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    JOINER: "{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def _greek(letter: str) -> str:
    """Return the command of a Greek letter."""
    name = ROUND.get(letter) or unicodedata.name(letter).split()[-1].lower()
    return name.capitalize() if letter.isupper() else name


IN_LATEX = str.maketrans(
    {
        **SPECIAL,
        **{letter: f"${command}$" for letter, command in MATHS.items()},
        **{letter: f"$\\{_greek(letter)}$" for letter in GREEK},
    }
)
IN_MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\|`*<~"})


def table_text(table: pd.DataFrame, form: str) -> str:
    """Return a table of text as it goes into a paper or another program.

    Args:
        table: The table; its cells are taken as they are.
        form: "md" is Markdown, "latex" a tabular for booktabs and pdfLaTeX (letters that are neither Latin nor Greek
            need another engine), "csv" comma-separated values.

    Example:
        >>> import pandas as pd
        >>> print(table_text(pd.DataFrame({"life (ε)": ["0.041 ± 0.002"]}), "md"))
        | life (ε)      |
        |:--------------|
        | 0.041 ± 0.002 |
    """
    cells = table.astype(str)
    cells.columns = cells.columns.map(str)
    if form == "csv":
        return cells.to_csv(index=False).rstrip()
    write = in_markdown if form == "md" else in_latex
    cells = cells.map(write)
    cells.columns = cells.columns.map(write)
    if form == "md":
        return cells.to_markdown(index=False, disable_numparse=True)
    return cells.to_latex(index=False, escape=False, column_format="l" * len(cells.columns)).rstrip()


def in_latex(text: str) -> str:
    r"""Return a text as LaTeX prints it.

    Example:
        >>> print(in_latex("life_1 (ε): -0.03 ± 1 %"))
        life\_1 ($\varepsilon$): $-$0.03 $\pm$ 1 \%
    """
    apart = re.sub("-(?=-)", f"-{JOINER}", " ".join(text.split()))  # two of them would print as a dash
    return re.sub(r"(?<![\w.-])-(?=\.?\d)", "$-$", apart.translate(IN_LATEX))


def in_markdown(text: str) -> str:
    r"""Return a text as Markdown prints it.

    Example:
        >>> print(in_markdown("eps_1|2"))
        eps_1\|2
    """
    words = " ".join(text.split()).translate(IN_MARKDOWN).replace("](", r"]\(")
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\_", words)  # within a word it stands for itself


def markdown_table(table: pd.DataFrame) -> str:
    """Return a table as Markdown, names as code."""
    rows = [
        [" = ".join(f"`{name}`" for name in str(row[0]).split(" = ")), *map(str, row[1:])] for row in table.to_numpy()
    ]
    lines = [[*map(str, table)], ["---" for _ in table], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
