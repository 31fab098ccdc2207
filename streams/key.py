"""The names of our keys in Redis. All keys of one user share a hash tag, so that one script may use them."""

from __future__ import annotations


def key(prefix: str, user: str, noun: str) -> str:
    """Return the key of a user's `noun`, such as `awaken:{u1}:sends`.

    A cluster places a key by what stands between its first `{` and the next `}`. An empty tag would spread a
    user over several nodes, so a `}` in his name is written %7D, and % itself %25, so that no two names meet.
    """
    return f"{stem(prefix, user)}{noun}"


def stem(prefix: str, user: str) -> str:
    """Return what all keys of a user begin with."""
    tag = user.replace("%", "%25").replace("}", "%7D")
    return f"{prefix}:{{{tag}}}:"
