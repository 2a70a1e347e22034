"""What the log looks like: one line an event, on standard error, with nothing a visitor sent."""

import logging

from aiohttp.web import RequestPayloadError

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _OneLine(logging.Filter):
    """aiohttp's server logs a traceback for every request that is no HTTP; one line says it as well.

    It also logs a body that does not match its Content-Encoding as an unhandled exception, when it passes over
    what is left of it after the answer; the line of the answer says all there is to say.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        record.exc_info = None
        return not isinstance(fault, RequestPayloadError)


def setup_logs(level: str) -> None:
    """Log from `level` on (debug, info, warning, error)."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    if level != "debug":
        logging.getLogger("aiohttp.server").addFilter(_OneLine())
        # Names the arguments of what it repeats.
        logging.getLogger("stamina").setLevel(logging.ERROR)
