"""Plays the stories of this folder and compares their transitions; README.md says how a story is written."""

import itertools
from pathlib import Path

import pytest

from streams.core.dimension import DIMENSIONS
from tests.stories.script import Player, Story, line

STORIES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story):
    told = Story(story.read_text("utf-8"))
    player = Player(told).play()
    assert told.expected or told.portraits, "a story must expect something"
    found, expected = (list(map(line, steps)) for steps in (player.found, told.expected))
    assert found == expected, "\n".join(["what came about:", *found])
    for user, path, text in told.portraits:
        assert player.portrait(user, path) == text


def test_there_is_a_story_of_every_dimension():
    told = set(itertools.chain.from_iterable(Story(path.read_text("utf-8")).watched for path in STORIES))
    assert {dimension.name for dimension in DIMENSIONS} <= told
    assert told - {dimension.name for dimension in DIMENSIONS}, "none of an own dimension"


def test_a_story_that_expects_something_else_fails():
    story = Story("2026-01-01 09:00  anna  view\nexpect\n2026-01-01 09:00  anna  none > active  event")
    assert list(map(line, Player(story).play().found)) != list(map(line, story.expected))
