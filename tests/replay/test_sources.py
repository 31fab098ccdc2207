"""Which files are meant, and of which topic they are."""

import msgspec
import pytest

from streams.core.row import CLICKS, FEEDBACK, ORDERS, PROFILES
from streams.replay.sources import File, find
from streams.settings import SettingsError, Topics

TOPICS = Topics()


@pytest.fixture
def folder(tmp_path):
    for name in (
        "clicks-1.jsonl",
        "clicks-2.parquet",
        "orders.csv.gz",
        "push-feedback.ndjson",
        "notes.txt",
        "mine.csv",
    ):
        (tmp_path / name).touch()
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "part-0.parquet").touch()
    return tmp_path


def test_names_of_files_and_folders_say_of_which_topic_they_are(folder):
    (folder / "mine.csv").unlink()
    assert find([str(folder)], {}, TOPICS) == [
        File(folder / "clicks-1.jsonl", CLICKS, "lines"),
        File(folder / "clicks-2.parquet", CLICKS, "parquet"),
        File(folder / "orders.csv.gz", ORDERS, "csv"),
        File(folder / "profiles" / "part-0.parquet", PROFILES, "parquet"),
        File(folder / "push-feedback.ndjson", FEEDBACK, "lines"),
    ]


def test_options_and_patterns_say_so_too(folder):
    given = {
        ORDERS: [str(folder / "mine.csv")],
        CLICKS: [str(folder / "clicks-*")],
        PROFILES: [str(folder / "profiles")],
    }
    assert [(file.path.name, file.source) for file in find([], given, TOPICS)] == [
        ("clicks-1.jsonl", CLICKS), ("clicks-2.parquet", CLICKS), ("mine.csv", ORDERS), ("part-0.parquet", PROFILES),
    ]  # fmt: skip


def test_topics_of_other_names_count(tmp_path):
    (tmp_path / "besuche.csv").touch()
    assert find([str(tmp_path)], {}, msgspec.structs.replace(TOPICS, clicks="besuche"))[0].source == CLICKS


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ([], "there is nothing to replay"),
        (["mine.csv"], "its name does not say of which topic it is"),
        (["clicks-9.csv"], "there is no such file"),
        (["clicks*.txt"], "there is no such file"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_its_name(folder, named, said):
    with pytest.raises(SettingsError, match=said):
        find([str(folder / name) for name in named], {}, TOPICS)


def test_a_format_that_cannot_be_read_is_refused(folder):
    with pytest.raises(SettingsError, match=r"notes\.txt: cannot be read; files end in \.jsonl"):
        find([], {CLICKS: [str(folder / "notes.txt")]}, TOPICS)
