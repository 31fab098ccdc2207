"""JSON lines, in whatever pieces they are read."""

import gzip

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.row import CLICKS
from streams.replay import lines
from streams.replay.chunk import Terms
from streams.replay.sources import File
from streams.settings import SettingsError
from tests.laws.history import T0

TERMS = Terms(1 << 60, 2, None)
LINE = orjson.dumps({"user": "u1", "at": T0, "kind": "view"})


class Pieces:
    """A stream that hands out pieces of these sizes, then the rest."""

    def __init__(self, data, sizes):
        self.data, self.sizes = data, list(sizes)

    def read(self, size):
        size = self.sizes.pop(0) if self.sizes else size
        piece, self.data = self.data[:size], self.data[size:]
        return piece


@given(
    st.lists(st.sampled_from([b"{}", b"", b" ", b"\r", b'{"a":"\xe7\x94\xa8"}', b"x" * 40])),
    st.lists(st.integers(1, 30)),
    st.booleans(),
)
def test_lines_are_those_that_python_finds(found, sizes, ends):
    data = b"\n".join(found) + b"\n" * ends
    read = [(r.offset, r.value) for block in lines._blocks(Pieces(data, sizes), "f") for r in block]
    assert read == [(n, line) for n, line in enumerate(data.split(b"\n"), 1) if line.strip()]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_files_may_be_packed(tmp_path, ending):
    data = b"\n".join([LINE] * 1000)
    path = tmp_path / f"clicks.jsonl{ending}"
    if ending == ".zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(gzip.compress(data) if ending == ".gz" else data)
    assert sum(len(chunk.events) for chunk in lines.chunks(File(path, CLICKS, "lines"), TERMS)) == 1000


def test_a_file_of_no_lines_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    path = tmp_path / "clicks.jsonl"
    path.write_bytes(LINE + b"\n" + b"[" * 200)
    with pytest.raises(SettingsError, match=r"clicks\.jsonl: line 2 is longer than 100 bytes"):
        list(lines.chunks(File(path, CLICKS, "lines"), TERMS))
