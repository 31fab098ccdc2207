"""A sweep comes to everybody who is due once, in turn or before it, and to nobody else."""

import numpy as np

from streams.sweep import Sweep

DUE = np.array([5, 1, 9, 2, 3, 0, 4])


def test_it_comes_to_who_is_due_some_at_a_time():
    sweep, found = Sweep(4, 7, len(DUE)), []
    while not sweep.is_over:
        found.append(sweep.some(DUE, 3).tolist())
    assert found == [[1, 3, 4], [5]]


def test_all_that_are_left_may_be_come_to_at_once():
    sweep = Sweep(4, 7, len(DUE))
    assert sweep.some(DUE, 1).tolist() == [1]
    assert sweep.some(DUE, None).tolist() == [3, 4, 5]
    assert sweep.is_over


def test_who_was_come_to_before_his_turn_is_not_come_to_again():
    sweep = Sweep(4, 7, len(DUE))
    assert sweep.among(np.array([4, 2, 4], np.int32)).tolist() == [2, 4]
    assert sweep.some(DUE, 2).tolist() == [1, 3]
    assert sweep.among(np.array([1, 4, 5], np.int32)).tolist() == [5]
    assert sweep.some(DUE, 2).tolist() == []
    assert sweep.is_over


def test_who_came_after_it_began_is_none_of_its():
    sweep = Sweep(4, 7, 2)
    assert sweep.among(np.array([1, 5], np.int32)).tolist() == [1]
    assert sweep.find(DUE).tolist() == [1]


def test_where_nobody_is_due_it_is_over_once_that_is_known():
    sweep = Sweep(0, 7, len(DUE))
    assert not sweep.is_over
    assert sweep.some(DUE, 1).tolist() == []
    assert sweep.is_over
