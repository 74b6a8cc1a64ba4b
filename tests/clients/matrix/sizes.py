"""Sizes at which something changes, and the shapes of ranges over them."""

from matrix.modes import HELD
from matrix.world import CHUNK, INLINE, PART

SIZES = [
    *(0, 1, 2),
    *(INLINE - 1, INLINE, INLINE + 1),
    *(CHUNK - 1, CHUNK, CHUNK + 1),
    *(2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1),
    3 * CHUNK + 7,
]
SLOW_SIZES = [
    *(3, 15, 16, 17, 4095, 4096, 4097),
    *(16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1),
    *(CHUNK - 17, CHUNK - 16, CHUNK - 15, CHUNK + 15, CHUNK + 16, CHUNK + 17),
    *(16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1),
    *(PART - 1, PART, PART + 1),
]
# A few of each kind, for families that multiply modes with modes.
FEW = [0, 1, INLINE, INLINE + 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7]


def sizes(mode, slow):
    """All of them for a mode of each holder of keys; a few for those that differ only in how they were chosen."""
    if slow:
        return SIZES + SLOW_SIZES
    return SIZES if mode in HELD else FEW


def shapes(size, edges=()):
    """Range headers over an object, by name. `edges` are the offsets at which parts meet."""
    last, middle = size - 1, size // 2
    found = {
        "open": "bytes=0-",
        "first-byte": "bytes=0-0",
        "first-two": "bytes=0-1",
        "last-byte": f"bytes={last}-{last}" if size else "bytes=0-0",
        "last-open": f"bytes={last}-" if size else "bytes=0-",
        "whole": f"bytes=0-{max(last, 0)}",
        "all-but-first": "bytes=1-",
        "all-but-last": f"bytes=0-{max(last - 1, 0)}",
        "middle-open": f"bytes={middle}-",
        "suffix-one": "bytes=-1",
        "suffix-half": f"bytes=-{middle + 1}",
        "suffix-whole": f"bytes=-{size}",
        "suffix-longer": f"bytes=-{size + 5}",
        "suffix-zero": "bytes=-0",
        "end-beyond": f"bytes={middle}-{size * 9 + 10}",
        "end-huge": "bytes=0-99999999999999999999999",
        "start-at-size": f"bytes={size}-",
        "start-at-size-bounded": f"bytes={size}-{size}",
        "start-beyond": f"bytes={size + 1}-{size + 100}",
        "start-huge": "bytes=99999999999999999999999-",
        "backwards": "bytes=5-2",
        "many": "bytes=0-0,2-3",
        "many-with-blank": "bytes=0-0, -1",
        "no-unit": "0-5",
        "other-unit": "lines=0-1",
        "letters": "bytes=a-b",
        "empty-spec": "bytes=",
        "only-dash": "bytes=-",
    }
    chunk_edges = range(CHUNK, size, CHUNK)
    for kind, offsets in (("chunk", [*chunk_edges[:2], *chunk_edges[2:][-1:]]), ("part", edges)):
        for edge in offsets:
            found |= around(f"{kind}-edge-{edge}", edge, size)
    return found


def around(name, edge, size):
    """Ranges that end before, at and behind an edge, and those that cross it."""
    spans = {
        "to": (edge - 2, edge - 1),
        "from": (edge, edge + 1),
        "over": (edge - 1, edge),
        "wide": (max(edge - CHUNK - 1, 0), edge + CHUNK),
        "chunk-before": (max(edge - CHUNK, 0), edge - 1),
        "chunk-behind": (edge, edge + CHUNK - 1),
    }
    return {f"{name}-{kind}": f"bytes={first}-{last}" for kind, (first, last) in spans.items() if first < size}
