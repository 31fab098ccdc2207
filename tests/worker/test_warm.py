"""What is compiled is compiled in a child, which takes the compiler's memory with it; here it is loaded."""

import os

import pytest

from streams.core.rules import activity_only
from streams.wire.block import Pairs
from streams.worker import warm as room

HERE = os.getpid()


@pytest.mark.parametrize("code", [0, 1])
def test_a_child_goes_the_way_first_and_whatever_becomes_of_it_this_process_does(monkeypatch, tmp_path, code):
    walkers = tmp_path / "walkers"

    def walk(_):
        with walkers.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if os.getpid() != HERE:
            os._exit(code)
        return Pairs.of([])

    monkeypatch.setattr(room.common, "warm", walk)
    room.warm(activity_only())
    first, second = map(int, walkers.read_text().split())
    assert first != HERE
    assert second == HERE
