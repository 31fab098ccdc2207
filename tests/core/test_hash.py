"""The hash is the same however the bytes are handed over."""

import numpy as np

from streams.core.hash import hash_spans, hash_texts


def test_spans_have_the_hashes_of_their_texts():
    data = np.frombuffer("o1订单o1".encode(), np.uint8)
    assert (
        hash_spans(data, np.array([[0, 2], [2, 8], [8, 10], [8, 8]])).tolist()
        == hash_texts(["o1", "订单", "o1", ""]).tolist()
    )
