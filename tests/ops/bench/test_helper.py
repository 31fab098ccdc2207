"""A process of ours: it hears, it answers, and its end is noticed."""

import os

import pytest

from streams.ops.bench.helper import Helper


def echo(pipe, mark):
    while True:
        pipe.send((mark, pipe.recv()))


def fall(pipe):
    pipe.recv()
    os._exit(3)


def test_what_is_told_is_answered():
    with Helper(echo, "mark") as helper:
        assert not helper.has_spoken()
        helper.tell("word")
        assert helper.hear() == ("mark", "word")


def test_one_that_has_fallen_is_not_waited_for():
    with Helper(fall) as helper:
        helper.tell("now")
        with pytest.raises(RuntimeError, match="ended"):
            helper.hear()
        helper._process.join()
        with pytest.raises(RuntimeError, match="ended"):
            helper.has_spoken()
