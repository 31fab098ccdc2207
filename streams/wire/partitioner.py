"""Where a user's records belong: the partition that Java's default partitioner gives his key (murmur2).

A producer with another partitioner (librdkafka's own default is crc32) spreads a user over two partitions without a
word: his clicks in one, his orders in another, and in each of them he is half away. So a record that does not stand
in its key's home is bad, with the reason `wrong-partition`; `awaken dead-letters replay` brings it home.

Every key is looked at, compiled: some 0.02 µs an event.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from streams.core.compiled import compiled
from streams.wire.block import Block, Record
from streams.wire.decode import Bad, Decoded

WRONG_PARTITION = "wrong-partition"


def home(key: bytes, partitions: int) -> int:
    """Return the partition of a key."""
    return int(homes(np.frombuffer(key, np.uint8), np.array([[0, len(key)]]), partitions)[0])


def homes(data: np.ndarray, keys: np.ndarray, partitions: int) -> np.ndarray:
    """Return the partitions (i4[n]) of keys, which stand at the spans `keys` (i8[n, 2]) of `data`."""
    found = np.empty(len(keys), np.int32)
    _homes(data, keys, partitions, found)
    return found


def settle(decoded: Decoded, block: Block, number: int, partitions: int) -> Decoded:
    """Return what was decoded of partition `number` without the events that do not belong there: they are bad."""
    at = homes(decoded.data, decoded.keys, partitions)
    stays = at == number
    if stays.all():
        return decoded
    misplaced = dict(zip(decoded.events["offset"][~stays].tolist(), at[~stays].tolist(), strict=True))
    records = [block[k] for k in np.flatnonzero(np.isin(block.offsets, list(misplaced))).tolist()]
    bad = [_misplaced(record, number, misplaced[record.offset]) for record in records]
    return decoded._replace(
        keys=decoded.keys[stays],
        events=decoded.events[stays],
        payloads={place: payload for place, payload in decoded.payloads.items() if place[1] not in misplaced},
        bad=sorted([*decoded.bad, *bad], key=lambda b: b.record.offset),
    )


def _misplaced(record: Record, number: int, belongs: int) -> Bad:
    said = f"it stands in partition {number}, its key belongs in {belongs}: produce with Java's default partitioner"
    return Bad(record, WRONG_PARTITION, f"{said} (murmur2; librdkafka: partitioner=murmur2_random)")


@njit(cache=True)
def _homes(data, keys, partitions, found):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for k in range(found.size):
        found[k] = (_murmur2(data, keys[k, 0], keys[k, 1]) & 0x7FFFFFFF) % partitions


@compiled
def _murmur2(data, start, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return MurmurHash2 of data[start:end] as org.apache.kafka.common.utils.Utils.murmur2 has it (unsigned)."""
    m, whole = np.uint64(0x5BD1E995), np.uint64(0xFFFFFFFF)
    length = end - start
    h = np.uint64(0x9747B28C) ^ np.uint64(length)
    body = start + length // 4 * 4
    for i in range(start, body, 4):
        k = np.uint64(data[i]) | np.uint64(data[i + 1]) << np.uint64(8)
        k |= np.uint64(data[i + 2]) << np.uint64(16) | np.uint64(data[i + 3]) << np.uint64(24)
        k = (k * m) & whole
        k ^= k >> np.uint64(24)
        k = (k * m) & whole
        h = ((h * m) & whole) ^ k
    left = end - body
    if left == 3:  # noqa: PLR2004
        h ^= np.uint64(data[body + 2]) << np.uint64(16)
    if left >= 2:  # noqa: PLR2004
        h ^= np.uint64(data[body + 1]) << np.uint64(8)
    if left >= 1:
        h = ((h ^ np.uint64(data[body])) * m) & whole
    h ^= h >> np.uint64(13)
    h = (h * m) & whole
    return np.int64(h ^ (h >> np.uint64(15)))
