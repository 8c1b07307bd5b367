"""Text of others, made fit for a line of a log or a terminal."""

from triort._model.limits import NAME_CHARS_MAX


def readable(text: str, chars_max: int = NAME_CHARS_MAX) -> str:
    """What a peer says, capped, and without what a terminal would obey or a log would take for another line."""
    if len(text) > chars_max:
        text = text[: chars_max - 3] + "..."
    return printable(text)[:chars_max]


def printable(text: str) -> str:
    """One line, whatever the text is."""
    return text if text.isprintable() else ascii(text)[1:-1]
