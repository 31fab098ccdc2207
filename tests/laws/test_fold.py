"""What must hold for every history, however it is cut, repeated, swept or restored."""

import json
import os
import subprocess
import sys

import numpy as np
from hypothesis import given, settings

from streams.core.row import DAY, NEVER
from streams.shard import Shard
from streams.wire.changelog import decode_rows, encode_rows
from tests import oracle
from tests.laws.history import Reader, acts, cuts, thresholds

settings.register_profile("laws", deadline=None, max_examples=150)
settings.load_profile("laws")


def days(ms):
    return 0 if ms >= NEVER else ms / DAY


@given(acts, thresholds, cuts)
def test_any_chunking_and_any_sweeping_give_the_same_users(history, rules, cut):
    plain = Reader(history, rules).run()
    cut_up = Reader(history, rules).run(cut, sweep=True)
    assert cut_up.moves == plain.moves
    assert cut_up.rows() == plain.rows()


@given(acts, thresholds, cuts)
def test_the_moves_equal_the_batch_oracle(history, rules, cut):
    reader = Reader(history, rules).run(cut, sweep=True)
    events = sorted((hour, user) for hour, user, _ in history)
    t0 = 1_700_006_400_000
    due = oracle.transitions(
        [(f"u{user}", t0 + hour * DAY // 24) for hour, user in events],
        oracle.Rules(*map(days, rules)),
        reader.shard.newest,
    )
    assert reader.moves == {user: [tuple(step) for step in steps] for user, steps in due.items()}


@given(acts, thresholds, cuts)
def test_sequences_are_whole_and_every_from_is_the_previous_to(history, rules, cut):
    for moves in Reader(history, rules).run(cut, sweep=True).moves.values():
        assert [m[0] for m in moves] == list(range(1, len(moves) + 1))
        assert [m[1] for m in moves] == ["none", *(m[2] for m in moves[:-1])]


@given(acts, thresholds, cuts)
def test_the_same_events_twice_are_once(history, rules, cut):
    reader = Reader(history, rules).run(cut)
    rows, skipped = reader.rows(), reader.shard.skipped
    again = Reader(history, rules, reader.shard).run()
    assert again.moves == {}
    assert again.rows() == rows
    assert again.shard.skipped == skipped + len(history)


@given(acts, thresholds, cuts)
def test_a_shard_restored_amid_a_history_goes_on_as_if_nothing_had_happened(history, rules, cut):
    whole = Reader(history, rules).run(cut)
    reader = Reader(history, rules)
    for source, size in cut:
        reader.chunk(source, size)
    keys, rows, profiles = reader.shard.take_changed()
    restored = Shard(rules)
    if keys:
        values, found = decode_rows(encode_rows(rows, profiles))
        restored.restore(keys, values, found)
    restored.settle()
    # The reader's merge is lost with its process: reading begins anew, and what was folded is skipped.
    rest = Reader(history, rules, restored).run()
    for user, moves in whole.moves.items():
        assert reader.moves.get(user, []) + rest.moves.get(user, []) == moves
    assert rest.rows() == whole.rows()


@given(acts, thresholds)
def test_the_population_is_that_of_the_rows(history, rules):
    shard = Reader(history, rules).run().shard
    assert shard.population[1:].tolist() == np.bincount(shard.rows["activity"], minlength=6)[1:].tolist()


def test_the_fold_says_the_same_compiled_and_as_plain_python():
    """The same histories in a process without numba's compiler give the same moves and rows."""
    program = (
        "import json, random; from tests.laws.history import *\n"
        "r = random.Random(3); out = []\n"
        "for n in range(25):\n"
        "    h = [(r.randrange(2000), r.randrange(6), r.randrange(2)) for _ in range(60)]\n"
        "    reader = Reader(h, Rules(7 * DAY, 14 * DAY, 30 * DAY)).run([(0, 7), (1, 3), (0, 9)], sweep=True)\n"
        "    rows = sorted((k.decode(), v.hex()) for k, v in reader.rows().items())\n"
        "    out.append([sorted(reader.moves.items()), rows])\n"
        "print(json.dumps(out))"
    )
    said = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "NUMBA_DISABLE_JIT": jit},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for jit in ("0", "1")
    ]
    assert said[0] == said[1]
