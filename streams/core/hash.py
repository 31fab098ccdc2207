"""The hash of the index and of order ids: 64 bits, the same in every process and on every machine."""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled


@compiled
def hash64(data, start, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return a 64-bit hash of the bytes data[start:end] (FNV-1a, its bits mixed once more as MurmurHash3 does)."""
    h = np.uint64(14_695_981_039_346_656_037)
    for k in range(start, end):
        h = (h ^ np.uint64(data[k])) * np.uint64(1_099_511_628_211)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    return h ^ (h >> np.uint64(33))


@compiled
def _hash_each(data, lengths, hashes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    start = 0
    for k in range(lengths.size):
        hashes[k] = hash64(data, start, start + lengths[k])
        start += lengths[k]


def hash_texts(texts: list[str]) -> np.ndarray:
    """Return the hashes (u8[n]) of texts in UTF-8."""
    encoded = [t.encode() for t in texts]
    hashes = np.empty(len(encoded), np.uint64)
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    _hash_each(np.frombuffer(b"".join(encoded), np.uint8), lengths, hashes)
    return hashes


@compiled
def _hash_spans(data, spans, hashes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for k in range(hashes.size):
        hashes[k] = hash64(data, spans[k, 0], spans[k, 1])


def hash_spans(data: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return the hashes (u8[n]) of what spans (i8[n, 2]) mark in `data` (u1[size])."""
    hashes = np.empty(len(spans), np.uint64)
    _hash_spans(data, spans, hashes)
    return hashes
