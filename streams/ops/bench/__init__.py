"""The benchmark: the lifecycle job on whole workers pinned to cores of their own, measured from outside.

plan.py        what is to be measured
run.py         measuring it, so many times
workers.py     `awaken worker`, as a user runs it: started, held still, asked for its figures
progress.py    how far the group has come, and what it wrote
helper.py      a process of ours beside the workers
produce.py     … that writes events on a schedule which nothing can slow down
subscribe.py   … that notes when each transition can be seen
latency.py     from an event's time on the schedule to its transition's being seen
view.py        the figures as a table
"""
