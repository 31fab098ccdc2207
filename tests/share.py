"""How a whole run is shared out: one process begins with what waits for servers, the others with what computes.

A file goes to a process whole, for the sake of what its tests share.
"""

from xdist.scheduler import LoadScopeScheduling

WAITING = ("tests/chaos/", "tests/bench/", "tests/end_to_end/", "tests/demo/", "tests/ops/")
"""Where tests wait for servers; what a busy machine hinders most comes first."""


class Share(LoadScopeScheduling):
    """Deals out files from the front of the order to the first process, from its end to the others."""

    def _split_scope(self, nodeid):
        return nodeid.partition("::")[0]

    def _assign_work_unit(self, node):
        choose = min if node is self.nodes[0] else max
        self.workqueue.move_to_end(choose(self.workqueue, key=order), last=False)
        super()._assign_work_unit(node)


def order(file):
    """Where a file stands in the order; those that wait for no server come last."""
    return next((place for place, folder in enumerate(WAITING) if file.startswith(folder)), len(WAITING))
