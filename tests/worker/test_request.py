"""A produce request that is joined once is, byte for byte, what aiokafka makes of it."""

import pytest
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.producer import sender
from aiokafka.protocol import produce
from hypothesis import given
from hypothesis import strategies as st

from streams.worker import batch, request

TOPICS = st.lists(
    st.tuples(st.text("ab-", max_size=9), st.lists(st.tuples(st.integers(0, 99), st.binary(max_size=300)), max_size=3)),
    max_size=3,
)


def sent(made, version):
    """The bytes that a connection to a broker of such a version sends."""
    built = made.prepare({0: (0, version)})
    assert version == built.API_VERSION
    assert built.RESPONSE_TYPE is getattr(produce, f"ProduceResponse_v{version}")
    header = built.build_request_header(7, "client")
    return header.encode() + built.encode()


@given(TOPICS, st.integers(3, 7), st.none() | st.just("awaken-3"))
def test_a_request_is_the_same_bytes(topics, version, transactional_id):
    said = transactional_id, -1, 40_000, topics
    assert sent(request.ProduceRequest(*said), version) == sent(produce.ProduceRequest(*said), version)


def test_a_broker_that_knows_no_transactions_is_refused_as_before():
    with pytest.raises(IncompatibleBrokerVersion):
        request.ProduceRequest("awaken-3", -1, 40_000, []).prepare({0: (0, 2)})


def test_producers_send_it():
    assert sender.ProduceRequest is batch.ProduceRequest is request.ProduceRequest
