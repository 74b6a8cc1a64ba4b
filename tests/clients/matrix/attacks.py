"""What somebody with the disk can do to the sealed bytes of an object, by name.

Each attack gets a `Victim` and returns the new contents of its files. The victim's twin was sealed by the same client
in the same way: same size, same mode, same key.
"""

from dataclasses import dataclass, field
from pathlib import Path

from matrix.world import CHUNK

# A sealed chunk: 64 KiB and a tag.
SEALED = CHUNK + 16


@dataclass
class Victim:
    """An object on the disk: its files in the order of its parts, what they held, and what stood there before."""

    name: str
    mode: object
    body: bytes = field(repr=False)
    files: list[Path] = field(repr=False)
    sealed: list[bytes] = field(repr=False)
    older: list[bytes] = field(repr=False, default_factory=list)
    # What an earlier attempt at its last part held: the same data key, number and length, other bytes.
    attempt: bytes = field(repr=False, default=b"")
    attacked: list[bytes | None] = field(repr=False, default_factory=list)


def chunks(sealed):
    return [sealed[at : at + SEALED] for at in range(0, len(sealed), SEALED)]


def of_first(change):
    """An attack on the first file only; the others stay."""
    return lambda victim, twin: [change(victim, twin), *victim.sealed[1:]]


def of_chunks(change):
    """An attack that rearranges the chunks of the first file."""
    return of_first(
        lambda victim, twin: b"".join(change(*map(chunks, (victim.sealed[0], victim.older[0], twin.sealed[0]))))
    )


def edited(place, other):
    """Its chunks with the one at `place` exchanged by `other(own, older, twin)`."""

    def change(own, older, twin):
        own = list(own)
        own[place] = other(own, older, twin)
        return own

    return of_chunks(change)


def flipped(at):
    return of_first(lambda victim, twin: flip(victim.sealed[0], at))


def flip(sealed, at):
    at %= len(sealed)
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


# On an object of any number of files.
ON_OBJECTS = {
    "swapped-object": lambda victim, twin: list(twin.sealed),
    "swapped-version": lambda victim, twin: list(victim.older),
}
# On the chunks of one file of at least four chunks.
ON_CHUNKS = {
    "reordered-first-two": of_chunks(lambda own, older, twin: [own[1], own[0], *own[2:]]),
    "reordered-middle": of_chunks(lambda own, older, twin: [own[0], own[2], own[1], *own[3:]]),
    "reordered-last-first": of_chunks(lambda own, older, twin: [own[-1], *own[1:-1], own[0]]),
    "truncated-by-a-byte": of_first(lambda victim, twin: victim.sealed[0][:-1]),
    "truncated-by-a-tag": of_first(lambda victim, twin: victim.sealed[0][:-16]),
    "truncated-by-the-last-chunk": of_chunks(lambda own, older, twin: own[:-1]),
    "truncated-to-one-chunk": of_chunks(lambda own, older, twin: own[:1]),
    "truncated-by-the-first-chunk": of_chunks(lambda own, older, twin: own[1:]),
    "truncated-in-the-middle": of_chunks(lambda own, older, twin: [own[0], *own[2:]]),
    "truncated-to-nothing": of_first(lambda victim, twin: b""),
    "replayed-first-chunk": edited(0, lambda own, older, twin: older[0]),
    "replayed-middle-chunk": edited(1, lambda own, older, twin: older[1]),
    "replayed-last-chunk": edited(-1, lambda own, older, twin: older[-1]),
    "repeated-chunk": edited(2, lambda own, older, twin: own[1]),
    "chunk-of-the-twin": edited(1, lambda own, older, twin: twin[1]),
    "last-chunk-of-the-twin": edited(-1, lambda own, older, twin: twin[-1]),
    "flipped-in-ciphertext": flipped(SEALED + 5),
    "flipped-in-tag": flipped(SEALED - 1),
    "flipped-in-last-tag": flipped(-1),
    "zeroed-chunk": edited(1, lambda own, older, twin: bytes(SEALED)),
    "lost": lambda victim, twin: [None],
    "inserted-chunk": of_chunks(lambda own, older, twin: [own[0], own[0], *own[1:]]),
}
# Behind the end: nothing that is read has changed, so right bytes are as good an answer as an error.
EXTENDED = {
    "extended-by-a-byte": of_first(lambda victim, twin: victim.sealed[0] + b"\0"),
    "extended-by-its-last-chunk": of_chunks(lambda own, older, twin: [*own, own[-1]]),
    "extended-by-a-chunk-of-the-twin": of_chunks(lambda own, older, twin: [*own, twin[-1]]),
    "extended-by-zeros": of_first(lambda victim, twin: victim.sealed[0] + bytes(SEALED)),
}
# On an object of two full parts and a small one.
ON_PARTS = {
    "swapped-part": lambda victim, twin: [victim.sealed[1], victim.sealed[0], victim.sealed[2]],
    "part-of-the-twin": lambda victim, twin: [twin.sealed[0], *victim.sealed[1:]],
    "part-of-an-older-version": lambda victim, twin: [victim.sealed[0], victim.older[1], victim.sealed[2]],
    "last-part-of-the-twin": lambda victim, twin: [*victim.sealed[:2], twin.sealed[2]],
    "same-part-twice": lambda victim, twin: [victim.sealed[0], victim.sealed[0], victim.sealed[2]],
    "earlier-attempt-at-a-part": lambda victim, twin: [*victim.sealed[:2], victim.attempt],
    "lost-part": lambda victim, twin: [victim.sealed[0], None, victim.sealed[2]],
    "emptied-part": lambda victim, twin: [victim.sealed[0], b"", victim.sealed[2]],
    "shortened-last-part": lambda victim, twin: [*victim.sealed[:2], victim.sealed[2][:SEALED]],
}
