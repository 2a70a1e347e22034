"""How many files a process may have open: each connection is one, and a turn has two of them."""

from importlib.util import find_spec

# More than a process could serve.
_WANTED = 65_536


def allow_many() -> None:
    """Have this process open as many files as the system lets it; often that is far more than it may from the start."""
    if find_spec("resource") is None:
        return
    import resource  # noqa: PLC0415 - not there on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
