"""A deployment with its topics, on the embedded broker and on a real Kafka."""

import pytest

from streams.ops import topics


@pytest.fixture(params=["embedded_broker", pytest.param("real_kafka", marks=pytest.mark.kafka)])
def settings(request, names):
    kafka = request.getfixturevalue(request.param).bootstrap
    made = names.settings(kafka=kafka, partitions=2, guarantee="at-least-once")
    topics.create(made)
    return made
