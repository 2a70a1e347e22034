"""The text that goes back to the model for one call."""

import msgspec

# A model's own words can come back in an error (a field name it made up), so an error has a bound too.
ERROR_CHARACTERS = 500
# Room for the note below and for at least some of the text before it.
SMALLEST_OUTPUT = 100


def result_text(result: object, limit: int) -> str:
    """A tool's result as text of at most `limit` characters: a str as it is, all else as JSON.

    Raises TypeError, ValueError or RecursionError for a result that has no JSON form.
    """
    text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    return _sendable(_cut(text, limit))


def error_text(sentence: str) -> str:
    """A failure as the model is told of it: `{"error": sentence}`."""
    return msgspec.json.encode({"error": _sendable(sentence[:ERROR_CHARACTERS])}).decode()


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    longest_note = _note(len(text), len(text))
    kept = limit - len(longest_note)
    return text[:kept] + _note(kept, len(text))


def _note(kept: int, total: int) -> str:
    return f"… [cut: {kept} of {total} characters]"


def _sendable(text: str) -> str:
    """Lone surrogates have no UTF-8 form: one of them would fail the request that carries the output."""
    return text.encode("utf-8", "replace").decode()
