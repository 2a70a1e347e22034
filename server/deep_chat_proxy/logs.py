"""What the log looks like: one line an event, on standard error, with nothing a visitor sent."""

import logging

from aiohttp.web import RequestPayloadError

_FORMAT = "%(asctime)s %(levelname)s {tag}%(name)s: %(message)s"


class _OneLine(logging.Filter):
    """aiohttp's server logs a traceback for every request that is no HTTP; one line says it as well.

    It also logs a body that does not match its Content-Encoding as an unhandled exception, when it passes over
    what is left of it after the answer; the line of the answer says all there is to say.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        record.exc_info = None
        return not isinstance(fault, RequestPayloadError)


def setup_logs(level: str, tag: str = "") -> None:
    """Log from `level` on (debug, info, warning, error); `tag` tells one of several processes from the others."""
    # What no line shows need not be found out for each (Python's Logging HOWTO, "Optimization").
    logging._srcfile = None  # noqa: SLF001 - as it is documented there
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    style = _FORMAT.format(tag=f"[{tag}] " if tag else "")
    # A process that is one of several has the log of the one that it comes from.
    logging.basicConfig(level=level.upper(), format=style, force=bool(tag))
    if level != "debug":
        logging.getLogger("aiohttp.server").addFilter(_OneLine())
        # Names the arguments of what it repeats.
        logging.getLogger("stamina").setLevel(logging.ERROR)
