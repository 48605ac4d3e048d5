"""The layout of a graph: boxes in ranks, and arrows from rank to rank that pass beside boxes.

"Along" is the direction of the arrows; "across" is the direction in which the boxes of a rank lie.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]  # along, across
Edge = tuple[tuple[int, int], int]  # (source, number of its output), target
_GAP, _APART, _LANE = 20.0, 22.0, 12.0  # distance of ranks, of boxes in a rank, of passing arrows
_BENT, _END = 10.0, 8.0  # extra distance of ranks for arrows that bend, length of their straight end
PORT = 12.0  # distance of arrows at one side of a box
_COLUMNS_APART = 44.0
_TURN, _ROUND = 15.0, 9.0  # an arrow to the next column: distance of its turn from the box, and radius
_SWEEPS = 24


class Line(NamedTuple):
    """A Bezier curve of 1 + 3 n points.

    Attributes:
        start: (box, number of its output) where the curve begins; None if it continues another curve.
        is_end: whether the curve ends at a box.
    """

    points: list[Point]
    start: tuple[int, int] | None
    is_end: bool


class Layout(NamedTuple):
    """The positions of boxes and arrows.

    Attributes:
        boxes: the smallest (along, across) of each box.
        lines: the curves of which arrows consist.
        size: (along, across) of the drawing.
    """

    boxes: list[Point]
    lines: list[Line]
    size: Point


@dataclass(eq=False)
class _Spot:
    """A position in a rank: of a box, or of an arrow that passes the rank."""

    rank: int
    depth: float = 0.0  # size along
    breadth: float = 0.0  # size across
    is_box: bool = False
    at: float = 0.0  # the middle across
    above: list[_Spot] = field(default_factory=list)
    below: list[_Spot] = field(default_factory=list)
    ends: tuple[_Spot, _Spot] | None = None  # of an arrow: its source and target

    @property
    def source(self) -> _Spot:
        return self.ends[0] if self.ends else self

    @property
    def target(self) -> _Spot:
        return self.ends[1] if self.ends else self

    def apart(self, other: _Spot) -> float:
        """The smallest distance of the middles of two neighbours."""
        return (self.breadth + other.breadth) / 2 + (_APART if self.is_box and other.is_box else _LANE)

    def wish(self, others: Sequence[_Spot], is_above: bool) -> float:
        """The position in line with the connected spots on one side. Boxes align with boxes, also with those
        at the other end of a long arrow.
        """
        if self.is_box:
            places = [(one.source if is_above else one.target).at for one in others]
        else:
            places = [one.at for one in others if not one.is_box] or [one.at for one in others]
        return sum(places) / len(places) if places else self.at

    def port(self, other: _Spot) -> float:
        """The best position of an arrow from or to another spot."""
        return (self.at + other.at) / 2 if other.is_box else other.at


class _Hop(NamedTuple):
    """A part of an arrow, from one rank to the next."""

    upper: _Spot
    lower: _Spot
    value: tuple[int, int]  # (box, number of its output)


def arrange(sizes: Sequence[Point], edges: Sequence[Edge], longest: float) -> Layout:
    """The layout of boxes.

    Args:
        sizes: (along, across) of each box.
        edges: with targets in ascending order, each after its sources.
        longest: a longer drawing is split into columns, between ranks that a single arrow connects.
    """
    boxes = [_Spot(rank, *size, is_box=True) for rank, size in zip(_ranks(len(sizes), edges), sizes)]
    rows, lanes, hops = _connected(boxes, edges)
    rows = _ordered(rows)
    _place(rows, lanes)
    return _drawn(boxes, rows, hops, longest)


def _ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """The rank of each box: its longest path from a source; sources are just above their first reader."""
    ranks, readers = [0] * count, defaultdict(list)
    for (source, _), target in edges:
        ranks[target] = max(ranks[target], ranks[source] + 1)
        readers[source].append(target)
    fed = {target for _, target in edges}
    for box in set(readers) - fed:
        ranks[box] = min(ranks[reader] for reader in readers[box]) - 1
    return ranks


def _connected(
    boxes: list[_Spot], edges: Sequence[Edge]
) -> tuple[list[list[_Spot]], list[list[_Spot]], list[_Hop]]:
    """The spots of each rank, the spots of each arrow that passes ranks, and the parts of arrows."""
    rows: list[list[_Spot]] = [[] for _ in range(max((box.rank for box in boxes), default=0) + 1)]
    for box in boxes:
        rows[box.rank].append(box)
    readers = defaultdict(list)
    for value, target in edges:
        readers[value].append(boxes[target])
    lanes: list[list[_Spot]] = []
    hops: list[_Hop] = []
    for value, targets in readers.items():
        start, last = boxes[value[0]], max(targets, key=lambda target: target.rank)
        lane = [_Spot(rank, ends=(start, last)) for rank in range(start.rank + 1, last.rank)]
        for spot in lane:
            rows[spot.rank].append(spot)
        way = [start, *lane]
        hops += [_Hop(upper, lower, value) for upper, lower in pairwise(way)]
        hops += [_Hop(way[target.rank - start.rank - 1], target, value) for target in targets]
        lanes.append(lane)
    for upper, lower, _ in hops:
        upper.below.append(lower)
        lower.above.append(upper)
    return rows, [lane for lane in lanes if lane], hops


def _crossings(rows: list[list[_Spot]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        number = {spot: i for i, spot in enumerate(lower)}
        seen: list[int] = []
        for spot in upper:
            ends = sorted(number[other] for other in spot.below)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _ordered(rows: list[list[_Spot]]) -> list[list[_Spot]]:
    """The ranks, ordered by the means of connected positions; the order with the fewest crossings."""
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        number = {spot: float(i) for row in rows for i, spot in enumerate(row)}
        for row in rows[:: -1 if sweep % 2 else 1]:
            means = {}
            for spot in row:
                others = spot.below if sweep % 2 else spot.above
                means[spot] = sum(map(number.__getitem__, others)) / len(others) if others else number[spot]
            row.sort(key=means.__getitem__)
            number.update((spot, float(i)) for i, spot in enumerate(row))
        if (crossings := _crossings(rows)) < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _spread(
    wishes: Sequence[float],
    apart: Iterable[float],
    weights: Sequence[float],
    low: float = -math.inf,
    high: float = math.inf,
) -> list[float]:
    """Ordered positions in [low, high], at least `apart` from each other, that minimise the weighted sum of
    squared distances from the wishes.
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # (mean, weight, count) of neighbours that touch
    for wish, offset, weight in zip(wishes, offsets, weights):
        mean, count = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, heavy, several = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + several
        pools.append((mean, weight, count))
    means = [max(low, min(mean, high - offsets[-1])) for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets)]


def _place(rows: list[list[_Spot]], lanes: list[list[_Spot]]) -> None:
    """Sets the positions across: boxes align with boxes; passing arrows are straight and avoid boxes."""

    def settle(row: list[_Spot], wishes: list[float]) -> None:
        weights = [1.0 if spot.is_box else 1e-6 for spot in row]
        for spot, at in zip(row, _spread(wishes, (a.apart(b) for a, b in pairwise(row)), weights)):
            spot.at = at

    for row in rows:
        settle(row, [0.0] * len(row))
    for sweep in range(_SWEEPS):
        for row in rows[:: 1 if sweep % 2 else -1]:
            settle(row, [spot.wish(spot.above if sweep % 2 else spot.below, bool(sweep % 2)) for spot in row])
    beside = {}
    for row in rows:
        for left, spot, right in zip([None, *row], row, [*row[1:], None]):
            beside[spot] = left, right
    for lane in [*lanes, *reversed(lanes)]:
        low = max((n.at + n.apart(spot) for spot in lane if (n := beside[spot][0])), default=float("-inf"))
        high = min((n.at - n.apart(spot) for spot in lane if (n := beside[spot][1])), default=float("inf"))
        if low <= high:
            at = min(max(sum(spot.at for spot in lane) / len(lane), low), high)
            for spot in lane:
                spot.at = at


def _ports(boxes: list[_Spot], hops: list[_Hop]) -> list[tuple[float, float]]:
    """The positions across at which each part of an arrow begins and ends."""
    found = [[hop.upper.at, hop.lower.at] for hop in hops]
    for end in (0, 1):
        at_box: dict[_Spot, list[tuple[float, float, int]]] = defaultdict(list)
        for number, hop in enumerate(hops):
            own, other = (hop.lower, hop.upper) if end else (hop.upper, hop.lower)
            if own.is_box:
                at_box[own].append((own.port(other), other.at, number))
        for box, several in at_box.items():
            several.sort()
            wishes = [port for port, _, _ in several] if len(several) > 1 else [box.at]
            room = (box.breadth - PORT) / 2
            low, high = box.at - room, box.at + room
            wishes = [max(low, min(wish, high)) for wish in wishes]
            places = _spread(wishes, [PORT] * (len(wishes) - 1), [1.0] * len(wishes), low, high)
            for (_, _, number), place in zip(several, places):
                found[number][end] = place
    return [(begin, end) for begin, end in found]


def _drawn(boxes: list[_Spot], rows: list[list[_Spot]], hops: list[_Hop], longest: float) -> Layout:
    ports = _ports(boxes, hops)
    gaps = [_GAP] * len(rows)  # behind each rank
    for hop, (begin, end) in zip(hops, ports):
        if (bend := abs(end - begin)) > 0.5:
            gaps[hop.upper.rank] = max(gaps[hop.upper.rank], _GAP + _BENT + min(0.12 * bend, 2 * _GAP))
    depths = [max((spot.depth for spot in row), default=0.0) for row in rows]
    starts = [0.0]
    for depth, gap in zip(depths, gaps):
        starts.append(starts[-1] + depth + gap)
    # for each rank: its shift along and across, and the smallest position across of its column
    columns: list[tuple[float, float, float]] = []
    cuts = _cuts(hops, starts, longest)
    length = breadth = 0.0
    turn = _TURN if cuts else 0.0
    for first, last in pairwise([0, *cuts, len(rows)]):
        spots = [spot for row in rows[first:last] for spot in row]
        low = min(spot.at - spot.breadth / 2 for spot in spots)
        breadth += _COLUMNS_APART if first else 0.0
        columns += [(turn - starts[first], breadth - low, breadth)] * (last - first)
        breadth += max(spot.at + spot.breadth / 2 for spot in spots) - low
        length = max(length, starts[last] - gaps[last - 1] - starts[first] + 2 * turn)

    lines = []
    for (upper, lower, value), (begin, end) in zip(hops, ports):
        (along, across, _), (to_along, to_across, left) = columns[upper.rank], columns[lower.rank]
        edge = starts[upper.rank] + along + depths[upper.rank], begin + across
        out = (starts[upper.rank] + along + upper.depth, edge[1]) if upper.is_box else edge
        into = starts[lower.rank] + to_along, end + to_across
        if along != to_along:  # on to the next column
            low, between = edge[0] + turn, left - _COLUMNS_APART / 2
            points = _rounded([out, (low, out[1]), (low, between), (0, between), (0, into[1]), into])
        else:
            near = into[0] - _END
            middle = (edge[0] + near) / 2
            points = [out, *_straight(out, edge), (middle, edge[1]), (middle, into[1]), (near, into[1])]
            points += _straight(points[-1], into)
        if not lower.is_box:
            points += _straight(into, (into[0] + depths[lower.rank], into[1]))
        lines.append(Line(points, value if upper.is_box else None, lower.is_box))
    corners = [
        (starts[b.rank] + columns[b.rank][0], b.at - b.breadth / 2 + columns[b.rank][1]) for b in boxes
    ]
    return Layout(corners, lines, (length, breadth))


def _cuts(hops: list[_Hop], starts: list[float], longest: float) -> list[int]:
    """The ranks at which columns of about equal length begin: those that a single arrow leads to."""
    across = Counter(hop.lower.rank for hop in hops)
    able = [hop.lower.rank for hop in hops if across[hop.lower.rank] == 1 and hop.lower.is_box]
    count = math.ceil(starts[-1] / longest)
    each, cuts = starts[-1] / count, set()
    for end in range(1, count):
        best = min(able, key=lambda rank: abs(starts[rank] - end * each - _GAP), default=0)
        if abs(starts[best] - end * each) < each / 3:
            cuts.add(best)
    return sorted(cuts)


def _straight(start: Point, end: Point) -> list[Point]:
    """The points after `start` of a straight Bezier curve."""
    (a, b), (c, d) = start, end
    return (
        [] if start == end else [((2 * a + c) / 3, (2 * b + d) / 3), ((a + 2 * c) / 3, (b + 2 * d) / 3), end]
    )


def _rounded(corners: list[Point]) -> list[Point]:
    """The points of a Bezier curve through right-angled corners, which it rounds."""
    line = corners[:1]
    for before, corner, after in zip(corners, corners[1:], corners[2:]):
        for point in (before, after):
            part = min(_ROUND / (math.dist(point, corner) or 1.0), 0.5)
            end = corner[0] + part * (point[0] - corner[0]), corner[1] + part * (point[1] - corner[1])
            line += _straight(line[-1], end) if point is before else [corner, corner, end]
    return line + _straight(line[-1], corners[-1])
