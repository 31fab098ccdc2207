"""Plays the stories of `pushes/` and compares what was decided and delivered; README.md says how one is written."""

from pathlib import Path

import pytest

from tests.stories.pushes import PushPlayer, PushStory

STORIES = sorted((Path(__file__).parent / "pushes").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path):
    story = PushStory(path.read_text("utf-8"))
    told = PushPlayer(story).play().told
    assert story.told, "a story must expect something"
    assert told == story.told, "\n".join(["what came about:", *told])
