"""The dead letters: what could not be read, looked at, mended, and sent to its topic once more.

letter.py    a dead letter, and which of them are meant
shelf.py     reading them
replay.py    sending them once more, once
view.py      showing them, contacts masked
command.py   the command `awaken dead-letters`
"""
