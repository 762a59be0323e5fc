"""Where a simplex flows to: the faces of the simplex that it is matched with, but itself.

A simplex is written as its last edge f = ab and a *code* of the vertices beside it: 0 for the edge itself, v for the
triangle f ∪ {v}, v · n + x with v < x for the tetrahedron f ∪ {v, x}, n the number of vertices.
What is matched with one of its own faces flows nowhere.

`steps` (5, 2), int64, receives the simplices: edge and code. The functions return how many there are, or -1 for a
critical simplex.
"""

from __future__ import annotations

import numpy as np

from dnn_topology._compiled import kernel
from dnn_topology.homology.engines.morse.bits import Int32s, Int64s, Whole, Words
from dnn_topology.homology.engines.morse.ranks import rank

CRITICAL = -1


@kernel
def put_edge(steps: Int64s, count: Whole, table: Words, ranks: Int32s, a: Whole, b: Whole) -> Whole:
    """Add the edge ab to the steps; return their number."""
    steps[count, 0], steps[count, 1] = rank(table, ranks, a, b), 0
    return count + 1


@kernel
def put_triangle(steps: Int64s, count: Whole, a: Whole, b: Whole, c: Whole, bc: Whole, ac: Whole, ab: Whole) -> Whole:
    """Add the triangle abc, of edges of these ranks, to the steps; return their number."""
    last, v = bc, a
    if ac > last:
        last, v = ac, b
    if ab > last:
        last, v = ab, c
    steps[count, 0], steps[count, 1] = last, v
    return count + 1


@kernel
def put_tetrahedron(
    steps: Int64s, count: Whole, table: Words, ranks: Int32s, n: Whole, a: Whole, b: Whole, c: Whole, d: Whole
) -> Whole:
    """Add the tetrahedron abcd to the steps; return their number."""
    last, v, x = rank(table, ranks, a, b), c, d
    other = rank(table, ranks, a, c)
    if other > last:
        last, v, x = other, b, d
    other = rank(table, ranks, a, d)
    if other > last:
        last, v, x = other, b, c
    other = rank(table, ranks, b, c)
    if other > last:
        last, v, x = other, a, d
    other = rank(table, ranks, b, d)
    if other > last:
        last, v, x = other, a, c
    other = rank(table, ranks, c, d)
    if other > last:
        last, v, x = other, a, b
    steps[count, 0], steps[count, 1] = last, min(v, x) * n + max(v, x)
    return count + 1


@kernel
def descend_edge(steps: Int64s, table: Words, ranks: Int32s, links: Int32s, f: Whole) -> Whole:
    """Edge ab, matched with the triangle abw, w the apex: flows to aw and bw."""
    w = links[f, 2]
    if w < 0:
        return CRITICAL
    put_edge(steps, 0, table, ranks, links[f, 0], w)
    return put_edge(steps, 1, table, ranks, links[f, 1], w)


@kernel
def descend_triangle(
    steps: Int64s, table: Words, ranks: Int32s, links: Int32s, rests: Int32s, f: Whole, v: Whole
) -> Whole:
    """Triangle abv, v not the apex w (then it would be matched with ab).

    It is matched with abvw where v is near w, else with abvp, p the parent of v. It flows to avp and bvp, and to abp
    where p is not the apex.
    """
    a, b, w = np.int64(links[f, 0]), np.int64(links[f, 1]), np.int64(links[f, 2])
    p, pv = w, rank(table, ranks, w, v)  # rows of a, b and w first: they are at hand for all triangles of f
    if pv >= f:
        k = np.int64(links[f, 3])
        while rests[k, 0] != v:
            k += 1
        p = np.int64(rests[k, 1])
        if p < 0:
            return CRITICAL
        pv = rank(table, ranks, p, v)
    count = put_triangle(steps, 0, a, v, p, pv, rank(table, ranks, a, p), rank(table, ranks, a, v))
    count = put_triangle(steps, count, b, v, p, pv, rank(table, ranks, b, p), rank(table, ranks, b, v))
    if p != w:
        steps[count, 0], steps[count, 1] = f, p
        count += 1
    return count


@kernel
def descend_tetrahedron(  # noqa: C901  # the cases of one definition
    steps: Int64s, table: Words, ranks: Int32s, links: Int32s, rests: Int32s, lowers: Int32s, f: Whole, code: Whole
) -> Whole:
    """Tetrahedron abvx: where both v and x are near the apex w (or w), matched with abvxw, or with a face.

    Otherwise let u be the one of v and x that joined later, x the other, which lies in the lower link of u, and p the
    apex of that: matched with abuxq, q = p where x is near p, else the parent of x there; with a face where x = p.
    """
    n = np.int64(table[0, 0])
    v, x = code // n, code % n
    a, b, w = np.int64(links[f, 0]), np.int64(links[f, 1]), np.int64(links[f, 2])
    v_near = v == w or rank(table, ranks, v, w) < f
    x_near = x == w or rank(table, ranks, x, w) < f
    if v_near and x_near:
        if w in (v, x):
            return 0
        count = put_tetrahedron(steps, 0, table, ranks, n, a, v, x, w)
        return put_tetrahedron(steps, count, table, ranks, n, b, v, x, w)
    at, left = np.int64(links[f, 3]) - 1, 1 if v_near or x_near else 2
    while left:
        at += 1
        if rests[at, 0] in (v, x):
            left -= 1
    if rests[at, 0] == v:
        u = v
    else:
        u, x = x, v
    p = np.int64(rests[at, 1])
    if x == p:
        return 0
    q = p
    if rank(table, ranks, x, p) >= f:
        k = np.int64(rests[at, 2])
        while lowers[k, 0] != x:
            k += 1
        q = np.int64(lowers[k, 1])
        if q < 0:
            return CRITICAL
    count = put_tetrahedron(steps, 0, table, ranks, n, a, u, x, q)
    count = put_tetrahedron(steps, count, table, ranks, n, b, u, x, q)
    steps[count, 0], steps[count, 1] = f, min(x, q) * n + max(x, q)
    count += 1
    if q != p:
        steps[count, 0], steps[count, 1] = f, min(u, q) * n + max(u, q)
        count += 1
    return count


@kernel
def triangle_faces(steps: Int64s, table: Words, ranks: Int32s, links: Int32s, critical: Int32s, c: Whole) -> Whole:
    """The edges of a critical triangle."""
    e, v = critical[c, 0], critical[c, 1]
    steps[0, 0], steps[0, 1] = e, 0
    put_edge(steps, 1, table, ranks, links[e, 0], v)
    return put_edge(steps, 2, table, ranks, links[e, 1], v)


@kernel
def tetrahedron_faces(steps: Int64s, table: Words, ranks: Int32s, links: Int32s, critical: Int32s, c: Whole) -> Whole:
    """The triangles of a critical tetrahedron."""
    e, v, x = np.int64(critical[c, 0]), np.int64(critical[c, 1]), np.int64(critical[c, 2])
    steps[0, 0], steps[0, 1], steps[1, 0], steps[1, 1] = e, v, e, x
    count, vx = 2, rank(table, ranks, v, x)
    for a in (np.int64(links[e, 0]), np.int64(links[e, 1])):
        count = put_triangle(steps, count, a, v, x, vx, rank(table, ranks, a, x), rank(table, ranks, a, v))
    return count


@kernel
def four_simplex_faces(steps: Int64s, table: Words, ranks: Int32s, links: Int32s, critical: Int32s, c: Whole) -> Whole:
    """The tetrahedra of a critical simplex of dimension 4."""
    n = np.int64(table[0, 0])
    e, u, v, x = np.int64(critical[c, 0]), np.int64(critical[c, 1]), np.int64(critical[c, 2]), np.int64(critical[c, 3])
    count = 0
    for y, z in ((u, v), (u, x), (v, x)):
        steps[count, 0], steps[count, 1] = e, min(y, z) * n + max(y, z)
        count += 1
    count = put_tetrahedron(steps, count, table, ranks, n, np.int64(links[e, 0]), u, v, x)
    return put_tetrahedron(steps, count, table, ranks, n, np.int64(links[e, 1]), u, v, x)
