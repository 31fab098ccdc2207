"""Replay: files of events through the very shard that the worker drives, as fast as one core can.

    sources: which files there are, and of which topic each one is
    lines, table: a file → chunks of it, never the whole
    columns: columns of Arrow → EVENT arrays, without an object of Python's an event
    chunk: what was read of a file, and the way by `decode` for what columns do not tell
    run: chunks of all files by event time → fold → advance
    cuts: cuts of the population, frozen as time goes on
    report: what came of it

Nothing is written anywhere but to the files that are asked for; neither Kafka nor Redis is needed.
"""
