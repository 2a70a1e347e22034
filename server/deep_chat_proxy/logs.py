"""What the log looks like: one line an event, on standard error, with nothing a visitor sent."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _OneLine(logging.Filter):
    """aiohttp's server logs a traceback for every request that is no HTTP; one line says it as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


def setup_logs(level: str) -> None:
    """Log from `level` on (debug, info, warning, error)."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    if level != "debug":
        logging.getLogger("aiohttp.server").addFilter(_OneLine())
        # Names the arguments of what it repeats.
        logging.getLogger("stamina").setLevel(logging.ERROR)
