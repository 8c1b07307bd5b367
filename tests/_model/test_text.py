"""What others say, in a line of a log."""

import pytest

from triort._model.text import readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m7473", "m7473"),
        ("Jürgens Büro", "Jürgens Büro"),
        ("a\nERROR all is lost", "a\\nERROR all is lost"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_it_is_capped_also_when_it_is_escaped() -> None:
    assert readable("x" * 1_000, 10) == "xxxxxxx..."
    assert len(readable("\n" * 1_000, 10)) == 10
