"""Ranges of numbers in one word."""

from __future__ import annotations

from dnn_topology._checks import DnnTopologyError


def numbers_of_range(word: str) -> list[str]:
    """Return the numbers of start:stop:step, the last included, or the word.

    Raises:
        DnnTopologyError: It is no such range, or one of more than 1,000 numbers.

    Example:
        >>> numbers_of_range("0.5:0.6:0.025"), numbers_of_range("0.5")
        (['0.5', '0.525', '0.55', '0.575', '0.6'], ['0.5'])
    """
    if ":" not in word:
        return [word]
    try:
        start, stop, step = (float(part) for part in word.split(":"))
        n_steps = round((stop - start) / step, 6)
    except (ValueError, ZeroDivisionError, OverflowError):
        n_steps = -1.0
    if not 0 <= n_steps <= 1000:
        raise DnnTopologyError(f"thresholds={word} is no range start:stop:step, such as 0.5:1:0.025")
    return [f"{round(start + step * number, 9):g}" for number in range(int(n_steps) + 1)]
