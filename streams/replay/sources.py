"""Which files there are to replay: of which topic each one is, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import NamedTuple

from streams.core.row import SOURCES
from streams.settings import SettingsError, Topics

FORMATS = {".jsonl": "lines", ".ndjson": "lines", ".json": "lines", ".csv": "csv", ".parquet": "parquet"}
PACKED = (".gz", ".zst")
"""Endings of JSON lines and CSV that are compressed; Parquet is so inside."""
OPTIONS = ("--clicks", "--orders", "--profiles", "--feedback")
WRITTEN = "files end in .jsonl, .ndjson, .csv (each also with .gz or .zst) or .parquet"


class File(NamedTuple):
    """A file of events of one source (a place in `SOURCES`), written as `lines`, `csv` or `parquet`."""

    path: Path
    source: int
    format: str


def find(named: Sequence[str], given: Mapping[int, Sequence[str]], topics: Topics) -> list[File]:
    """Return the files to replay, by source and name.

    Args:
        named: files, folders or patterns whose names say of which topic they are.
        given: the same, by the source that an option says.
        topics: what the topics are called.

    Raises:
        SettingsError: there is no such file, it is of no format that can be read, or its topic cannot be told.
    """
    found = [(path, source) for source, texts in given.items() for path in _paths(texts, OPTIONS[source])]
    found += [(path, _topic(path, topics)) for path in _paths(named, "FILES")]
    if not found:
        raise SettingsError("FILES: there is nothing to replay; name files, or give --clicks, --orders, --profiles")
    files = [File(path, source, _format(path)) for path, source in dict.fromkeys(found)]
    return sorted(files, key=lambda file: (file.source, file.path))


def _paths(texts: Iterable[str], option: str) -> Iterator[Path]:
    """Yield the files that texts mean: themselves, those in a folder, those that a pattern fits."""
    for text in texts:
        path = Path(text)
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and _ending(p) in FORMATS]
        else:
            inside = [path] if path.is_file() else [Path(p) for p in sorted(glob(text, recursive=True))]  # noqa: PTH207 (a pattern may be absolute)
        if not inside:
            raise SettingsError(f"{option} {text}: there is no such file; {WRITTEN}")
        yield from inside


def _topic(path: Path, topics: Topics) -> int:
    """Return the source that a file's name, or else its folder's, begins with."""
    for name in (path.name, *(parent.name for parent in path.parents)):
        for source, field in enumerate(SOURCES):
            words = (field, field.replace("_", "-"), getattr(topics, field))
            if name.lower().startswith(words):
                return source
    raise SettingsError(
        f"{path}: its name does not say of which topic it is (clicks…, orders…, profiles…, push-feedback…); "
        f"say it by {', '.join(OPTIONS[:-1])} or {OPTIONS[-1]}"
    )


def _format(path: Path) -> str:
    if _ending(path) not in FORMATS:
        raise SettingsError(f"{path}: cannot be read; {WRITTEN}")
    return FORMATS[_ending(path)]


def _ending(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() in PACKED else path.suffix.lower()
