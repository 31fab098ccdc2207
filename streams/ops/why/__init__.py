"""Why a user is who he is: his whole row in a person's words.

answer.py    the row, and of each dimension the transition that made it what it is
ask.py       from a running worker, which holds his row
replay.py    from the topics, without a worker: his partition folded anew, as a worker folds it
told.py      what was told of him, read where it stands
decided.py   what was decided about him and what became of it
meaning.py   what the value of a dimension means, to a marketer
push.py      a decision in words
wording.py   dates, money, causes and evidence in words
view.py      all of it on a page
"""
