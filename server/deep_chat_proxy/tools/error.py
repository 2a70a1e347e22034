"""The one error of this room that reaches whoever starts the server."""


class ToolError(Exception):
    """A tool is declared wrongly or its file cannot be used; the text says what to change."""
