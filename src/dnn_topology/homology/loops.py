"""A cycle of edges as closed ways: around each loop, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Edge = tuple[int, int]


def loops_of(edges: Iterable[Sequence[int]], first: Edge) -> tuple[tuple[int, ...], ...]:
    """Return the loops that a cycle of edges consists of, none of which meets a node twice.

    Every node is in an even number of the edges, so that a way along edges not yet gone ends where it began; each time
    that it comes back to a node, it closes a loop.

    Args:
        edges: The edges, each once, as pairs of nodes.
        first: One of them.

    Returns:
        The nodes of each loop in order; the loop of `first` comes first and begins with it, the others are sorted and
        begin with their lowest node.

    Example:
        >>> loops_of([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)], (3, 4))
        ((3, 4, 2), (0, 1, 2))
    """
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(int(a), set()).add(int(b))
        near.setdefault(int(b), set()).add(int(a))
    loops: list[tuple[int, ...]] = []
    for begin in sorted(near):
        while near[begin]:
            way = [begin]
            while near[way[-1]]:
                last = way[-1]
                following = min(near[last])
                near[last].remove(following)
                near[following].remove(last)
                if following in way:
                    place = way.index(following)
                    loops.append(tuple(way[place:]))
                    del way[place + 1 :]
                else:
                    way.append(following)
    turned = [_from(loop, first) or _from_lowest(loop) for loop in loops]
    return tuple(sorted(turned, key=lambda loop: ({*first} != {*loop[:2]}, loop)))


def _from(loop: tuple[int, ...], edge: Edge) -> tuple[int, ...] | None:
    """Return a loop that begins with an edge, or None where it does not go along it."""
    for way in (loop, loop[::-1]):
        for place, node in enumerate(way):
            if (node, way[(place + 1) % len(way)]) == edge:
                return way[place:] + way[:place]
    return None


def _from_lowest(loop: tuple[int, ...]) -> tuple[int, ...]:
    """Return a loop that begins with its lowest node and goes on to the lower of that one's neighbours."""
    place = loop.index(min(loop))
    turned = loop[place:] + loop[:place]
    return turned if turned[1] < turned[-1] else (turned[0], *turned[:0:-1])
