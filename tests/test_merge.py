"""The merge brings topics together by event time, and holds nobody up for a topic that was read to its end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.row import CLICKS, EVENT, ORDERS, PROFILES
from streams.merge import MOST_WHOLE, Merge


def events(source, *times, first=0):
    found = np.zeros(len(times), EVENT)
    found["at"], found["source"] = times, source
    found["offset"] = np.arange(first, first + len(times))
    return found


def told(taken):
    return [(int(e["at"]), int(e["source"])) for e in taken]


def test_events_wait_for_a_topic_that_is_behind():
    merge = Merge()
    merge.add(CLICKS, events(CLICKS, 1, 5, 9))
    assert told(merge.take([False, False, True, True])) == []
    merge.add(ORDERS, events(ORDERS, 4, 6))
    assert told(merge.take([False, False, True, True])) == [(1, CLICKS), (4, ORDERS), (5, CLICKS), (6, ORDERS)]
    assert merge.waiting(CLICKS) == 1
    assert merge.first_offset(CLICKS) == 2
    assert merge.first_offset(ORDERS) is None


def test_a_topic_read_to_its_end_holds_nobody_up():
    merge = Merge()
    merge.add(CLICKS, events(CLICKS, 1, 5))
    assert told(merge.take([True, True, True, True])) == [(1, CLICKS), (5, CLICKS)]
    assert told(merge.take([True, True, True, True])) == []


def test_at_equal_times_the_topics_order_decides_even_between_chunks():
    merge = Merge()
    merge.add(CLICKS, events(CLICKS, 5))
    merge.add(ORDERS, events(ORDERS, 5))
    # More clicks at 5 may come, and they would come before the order.
    assert told(merge.take([False, False, True, True])) == [(5, CLICKS)]
    merge.add(CLICKS, events(CLICKS, 5, 6, first=1))
    assert told(merge.take([False, False, True, True])) == [(5, CLICKS), (5, ORDERS)]


def test_a_topics_own_order_is_kept_where_its_times_go_back():
    merge = Merge()
    merge.add(CLICKS, events(CLICKS, 9, 2, 10))
    merge.add(ORDERS, events(ORDERS, 3, 20))
    assert told(merge.take([True, True, True, True])) == [
        (3, ORDERS),
        (9, CLICKS),
        (2, CLICKS),
        (10, CLICKS),
        (20, ORDERS),
    ]


def test_what_begins_later_is_not_waited_for_before_its_time():
    merge = Merge(3)
    merge.begin(1, 4)
    merge.begin(2, 8)
    merge.add(0, events(CLICKS, 1, 3, 4, 9))
    assert merge.reach(0) == 9
    assert told(merge.take([False, False, False])) == [(1, CLICKS), (3, CLICKS), (4, CLICKS)]
    merge.add(1, events(CLICKS, 2, 9))
    assert told(merge.take([False, False, False])) == [(2, CLICKS)], "it said that it begins at 4: it is late"
    assert told(merge.take([True, True, True])) == [(9, CLICKS), (9, CLICKS)]


lists = st.lists(st.integers(0, 30), max_size=30)


@given(lists, lists, lists, st.lists(st.tuples(st.integers(0, 2), st.integers(1, 7)), max_size=40))
def test_the_order_does_not_depend_on_the_cuts(clicks, orders, profiles, cuts):
    whole = [sorted(clicks), orders, sorted(profiles)]
    topics = [events(source, *times) for source, times in enumerate(whole)]

    def read(cuts):
        merge, at, out = Merge(), [0, 0, 0], []
        for source, size in [*cuts, *((s, 1000) for s in (CLICKS, ORDERS, PROFILES))]:
            merge.add(source, topics[source][at[source] : at[source] + size])
            at[source] += size
            taken = merge.take([*(at[s] >= len(topics[s]) for s in range(3)), True])
            out += [(int(e["source"]), int(e["offset"])) for e in taken]
        return out

    # A topic at its end holds nobody up, so only what is read before an end is reached has one order.
    once = read([])
    assert sorted(read(cuts)) == sorted(once)
    for source in range(3):
        assert [o for s, o in read(cuts) if s == source] == list(range(len(topics[source])))


@given(lists, lists, st.integers(1, 9), st.booleans())
def test_taken_a_few_at_a_time_they_come_in_the_same_order(clicks, orders, most, ended):
    one, other = Merge(), Merge()
    for merge in (one, other):
        merge.add(CLICKS, events(CLICKS, *clicks))
        merge.add(ORDERS, events(ORDERS, *orders))
    at_end = [ended, ended, True, True]
    taken = []
    while len(some := other.take(at_end, most)) >= most:
        taken.append(some)
    assert np.concatenate([*taken, some]).tobytes() == one.take(at_end).tobytes()
    assert [other.first_offset(source) for source in (CLICKS, ORDERS)] == [
        one.first_offset(s) for s in (CLICKS, ORDERS)
    ]


def test_of_what_is_handed_on_whole_not_too_much_is_taken_at_once():
    merge = Merge()
    merge.add(CLICKS, events(CLICKS, *range(2 * MOST_WHOLE)))
    merge.add(PROFILES, events(PROFILES, *[5] * (3 * MOST_WHOLE)))
    at_end = [True] * 4
    parts = [merge.take(at_end, 10 * MOST_WHOLE) for _ in range(4)]
    assert [np.count_nonzero(part["source"] == PROFILES) for part in parts] == [MOST_WHOLE] * 3 + [0]
    assert told(np.concatenate(parts)) == sorted(told(np.concatenate(parts)))
    assert merge.waiting(CLICKS) == merge.waiting(PROFILES) == 0


def test_of_many_at_the_same_time_no_more_are_taken_than_asked():
    merge = Merge()
    merge.add(CLICKS, events(CLICKS, *[7] * 9))
    assert [len(merge.take([True] * 4, 4)) for _ in range(3)] == [4, 4, 1]
