"""Plays the stories of `pushes/` and compares what was decided and delivered; README.md says how one is written."""

from pathlib import Path
from typing import get_args

import pytest

from streams.playbook import SHIPPED
from streams.push.policy import Reason
from tests.stories.pushes import PushPlayer, PushStory

STORIES = sorted((Path(__file__).parent / "pushes").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path):
    story = PushStory(path.read_text("utf-8"))
    told = PushPlayer(story).play().told
    assert story.told, "a story must expect something"
    assert told == story.told, "\n".join(["what came about:", *told])


def words_told():
    """Every word that stands in the place of a reason or an outcome, and every playbook, in any story."""
    lines = [line.split() for path in STORIES for line in PushStory(path.read_text("utf-8")).told]
    return {line[4] for line in lines}, {line[3].partition("/")[0] for line in lines}


def test_there_is_a_story_of_every_reason():
    told, _ = words_told()
    assert set(get_args(Reason)) - told == set()


def test_there_is_a_story_of_every_playbook_that_is_there_from_the_start():
    _, told = words_told()
    assert set(SHIPPED) - told == set()
