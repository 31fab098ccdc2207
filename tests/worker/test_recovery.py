"""Recovery says how it gets on."""

import logging

from aiokafka.structs import TopicPartition
from prometheus_client import REGISTRY

from streams.worker.recovery import SAY_SECONDS, Pace

PLACE = TopicPartition("changelog", 7)


def left():
    return REGISTRY.get_sample_value("awaken_recovery_remaining_records", {"partition": "7"})


def test_what_is_left_is_shown_and_from_time_to_time_said(caplog):
    caplog.set_level(logging.INFO, "streams.worker.recovery")
    clock = iter([0.0, 1.0, SAY_SECONDS, SAY_SECONDS + 1, 2 * SAY_SECONDS]).__next__
    pace = Pace(PLACE, 1000, clock)
    pace.note(80, 1100, 1500)
    assert left() == 400
    assert not caplog.messages
    pace.note(80, 1200, 1500)
    assert caplog.messages == ["partition 7: 160 rows read back, 32 rows/s, 40 %, at most 300 records to go"]
    pace.note(80, 1300, 1500)
    assert len(caplog.messages) == 1
    pace.note(80, 1500, 1500)
    assert caplog.messages[1] == "partition 7: 320 rows read back, 32 rows/s, 100 %, at most 0 records to go"
    pace.end()
    assert left() is None


def test_an_end_that_nobody_has_told_yet_is_no_error():
    pace = Pace(PLACE, 0)
    pace.note(1, 5, None)
    assert left() == 0
    pace.end()
