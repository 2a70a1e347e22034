"""A name from outside becomes one that can be shown and sent on, or "file"."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deep_chat_proxy.turn.filenames import LONGEST, safe_name


@pytest.mark.parametrize(
    ("declared", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("../../../etc/passwd", "passwd"),
        ("a/b/", "file"),
        ("..", "file"),
        (".", "file"),
        ("\u200d.\u200d", "file"),
        (".env", ".env"),
        ("a%22b%0d%0Ac.txt", 'a"b c.txt'),
        ("100%25.txt", "100%25.txt"),
        ("a\x00b\x1b[31m.txt", "ab[31m.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u2028b\u200b.txt", "a b.txt"),
        ("  many   spaces .txt ", "many spaces .txt"),
        ("name. . ", "name"),
        ("u\u0308ber.txt", "\u00fcber.txt"),
        ("\U0001f469\u200d\U0001f4bb.md", "\U0001f469\u200d\U0001f4bb.md"),
        ("x\ud800.txt", "x.txt"),
        ("%2F..%2Fa.txt", "%2F..%2Fa.txt"),
    ],
)
def test_a_name_is_made_safe(declared: str, shown: str) -> None:
    assert safe_name(declared) == shown


@pytest.mark.parametrize(
    ("declared", "shown"),
    [
        ("a" * 300 + ".tar.gz", "a" * 117 + ".gz"),
        ("a" * 300, "a" * 120),
        ("a." + "b" * 300, "a." + "b" * 118),
        ("a" * 116 + ".txt", "a" * 116 + ".txt"),
        ("a" * 117 + ".txt", "a" * 116 + ".txt"),
        ("a" * 115 + " bbb.txt", "a" * 115 + ".txt"),
    ],
)
def test_a_long_name_keeps_its_extension(declared: str, shown: str) -> None:
    assert safe_name(declared) == shown


@given(st.text(st.characters(), max_size=200))
@example("a\r\x1b b")
@example("a" + "\u0344" * 200)
def test_every_name_can_be_shown_and_stays_as_it_is(declared: str) -> None:
    name = safe_name(declared)

    assert 0 < len(name) <= LONGEST
    assert name.encode()
    assert not {"/", "\\"} & set(name)
    assert not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in name)
    assert not any(
        unicodedata.bidirectional(letter) in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI"} for letter in name
    )
    assert unicodedata.is_normalized("NFC", name)
    assert safe_name(name) == name


def test_a_name_as_long_as_a_request_is_cut_before_it_is_looked_at() -> None:
    """Normalising takes quadratic time on combining marks: minutes for a megabyte of them."""
    name = safe_name("e" + "\u0301" * 1_000_000 + ".txt")

    assert len(name) <= LONGEST
    assert name.endswith(".txt")
