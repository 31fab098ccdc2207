"""What a replay costs, on one core: `python -m tests.bench.replay [EVENTS [USERS]]`.

The bench job's events in files: Parquet and JSON lines, clicks and orders apart; once with the activity class alone and
once with every dimension on. Medians over repeats, all in one run. Nothing is asserted here: it is read, on a quiet
machine.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from streams.ops import job
from streams.replay import sources
from streams.replay.run import Replay, present
from streams.settings import Activity, Settings

REPEATS = 5
RULES = {
    "the activity class alone": Settings(
        dimensions=("activity",),
        activity=Activity(new_days=0, dormant_days=job.LAPSE_DAYS, churned_days=0),
        lateness_seconds=0,
    ),
    "every dimension on": Settings(),
}


def tables(stream, users):
    """The job's clicks and orders, as tables."""
    keys, categories = (
        np.array([f"{mark}{k:0{width}d}" for k in range(n)]) for mark, width, n in (("u", 7, users), ("c", 1, 50))
    )
    common = {"user": keys[stream.user], "at": stream.at, "category": categories[stream.item % 50]}
    clicks = pa.table(common | {"kind": np.full(len(stream.at), "view")})
    orders = pa.table(common | {"order": [f"o{n}" for n in range(len(stream.at))], "amount": stream.amount})
    return {"clicks": clicks.filter(~stream.order), "orders": orders.filter(stream.order)}


def written(folder, events, users):
    """The files of each format, by its name."""
    for topic, table in tables(job.generate(events, users), users).items():
        pq.write_table(table, folder / f"{topic}.parquet")
        lines = b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist())
        (folder / f"{topic}.jsonl").write_bytes(lines)
    return {form: [str(folder / f"*.{form}")] for form in ("parquet", "jsonl")}


def main():
    events, users = (int(w) for w in (sys.argv[1:] + ["1000000", "100000"][len(sys.argv) - 1 :])[:2])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"{events:,} events of {users:,} users; median of {REPEATS}\n")
    with tempfile.TemporaryDirectory() as folder:
        for form, named in written(Path(folder), events, users).items():
            for rules, settings in RULES.items():
                files = sources.find(named, {}, settings.topics)
                runs = []
                for _ in range(REPEATS):
                    runs.append(Replay(settings, files, present()))
                    runs[-1].run()
                wall, cpu = (statistics.median(getattr(r, name) for r in runs) for name in ("wall_s", "cpu_s"))
                n = int(runs[0].events.sum())
                print(
                    f"{form:8} {rules:26}{n / wall:12,.0f} events/s{n / cpu:12,.0f} a second of CPU"
                    f"{cpu / n * 1e6:8.3f} µs   {int(runs[0].moves.sum()):,} moves"
                )


if __name__ == "__main__":
    main()
