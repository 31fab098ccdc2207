"""The reader's map in streams/__init__.py is true: what it names is there, and what is there it names."""

import re
from importlib.metadata import version
from pathlib import Path

import streams

ROOM = Path(streams.__file__).parent
NAMED = re.findall(r"^    (\S+(?:\.py|/))  +\S", streams.__doc__, re.MULTILINE)


def test_everything_on_the_map_is_there():
    assert len(NAMED) > 20
    for name in NAMED:
        assert (ROOM / name).exists(), name


def test_everything_there_is_on_the_map():
    for file in ROOM.rglob("*.py"):
        path = file.relative_to(ROOM).as_posix()
        if path != "__init__.py":
            assert any(path == name or path.startswith(name) for name in NAMED if name != "./"), path


def test_every_module_says_what_it_is():
    for file in ROOM.rglob("*.py"):
        assert file.read_text("utf-8").startswith(('"""', 'r"""')), file


def test_the_version_is_the_distributions():
    assert version("awaken") == streams.__version__
