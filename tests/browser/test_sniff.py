"""A file's type follows from its first bytes; a name only chooses among kinds of text."""

import io
import zipfile
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from deep_chat_proxy.browser.files_in.sniff import HEAD, KINDS, MEDIA_TYPES, is_old_office, kind_of, sniff
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.turn.events import FileKind

OOXML = "application/vnd.openxmlformats-officedocument."
DOCX = OOXML + "wordprocessingml.document"
XLSX = OOXML + "spreadsheetml.sheet"


def archive(*entries: str, stored: bytes = b"x", streamed: bool = False) -> bytes:
    """A zip of these entries; `streamed` puts the sizes behind the data, as writers to a pipe do."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

    target = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for entry in entries:
            made.writestr(entry, stored)
    return target.getvalue()


def mp4(brand: bytes, rest: bytes = b"") -> bytes:
    return b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x02\x00" + rest


WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm"

BY_CONTENT = [
    (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
    (b"GIF87a\x01\x00", "image/gif"),
    (b"GIF89a\x01\x00", "image/gif"),
    (b"RIFF\n\x00\x00\x00WEBPVP8 ", "image/webp"),
    (b"RIFF\n\x00\x00\x00WAVEfmt ", "audio/wav"),
    (b"ID3\x04\x00\x00", "audio/mpeg"),
    (b"\xff\xfb\x90\x64\x00", "audio/mpeg"),
    (b"\xff\xf1\x50\x80\x00", "audio/aac"),
    (b"fLaC\x00\x00\x00\x22", "audio/flac"),
    (b"OggS\x00\x02" + bytes(20) + b"OpusHead", "audio/ogg"),
    (b"OggS\x00\x02" + bytes(20) + b"\x80theora", "video/ogg"),
    (WEBM + b"\x86\x86A_OPUS", "audio/webm"),
    (WEBM + b"\x86\x85V_VP9\x86\x86A_OPUS", "video/webm"),
    (mp4(b"M4A "), "audio/mp4"),
    (mp4(b"isom", b"hdlr" + bytes(8) + b"soun"), "audio/mp4"),
    (mp4(b"isom", b"hdlr" + bytes(8) + b"soun" + b"hdlr" + bytes(8) + b"vide"), "video/mp4"),
    (mp4(b"mp42"), "video/mp4"),
    (mp4(b"qt  "), "video/quicktime"),
    (b"%PDF-1.7\n", "application/pdf"),
    (b"\r\n%PDF-1.4\n", "application/pdf"),
    (archive("a.txt", "b/c.exe"), "application/zip"),
    (archive("[Content_Types].xml", "_rels/.rels", "word/document.xml"), DOCX),
    (archive("_rels/.rels", "docProps/app.xml", "xl/workbook.xml", "[Content_Types].xml"), XLSX),
    (archive("[Content_Types].xml", "ppt/presentation.xml"), OOXML + "presentationml.presentation"),
    (archive("[Content_Types].xml", "word/document.xml", streamed=True), DOCX),
    (archive("word/list.txt"), "application/zip"),
    (
        archive("mimetype", stored=b"application/vnd.oasis.opendocument.text"),
        "application/vnd.oasis.opendocument.text",
    ),
    (archive("report.docx", stored=archive("[Content_Types].xml", "word/document.xml")), "application/zip"),
]


@pytest.mark.parametrize(("content", "media_type"), BY_CONTENT)
@pytest.mark.parametrize("name", ["a.bin", "setup.exe", "a.txt", ""])
def test_content_alone_decides_on_a_binary_file(content: bytes, media_type: str, name: str) -> None:
    assert sniff(content, name) == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\x00\x03\x00\x00\x00",
        b"\x7fELF\x02\x01\x01\x00",
        b"\xca\xfe\xba\xbe\x00\x00\x00\x34",
        b"\xcf\xfa\xed\xfe\x07\x00\x00\x01",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"\x1f\x8b\x08\x00",
        b"BM\x36\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x18ftypheic\x00\x00",
        b"\x00\x00\x00\x18ftypavif\x00\x00",
        b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska",
        b"\xff\xfe\x00\x00",
        b"PK\x05\x06" + bytes(18),
        b"PK\x03\x04",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"text and \x00 more",
        b"\x1b[31mtext\x07",
        b"Gr\xfc\xdfe",
        archive("META-INF/MANIFEST.MF", "Main.class"),
        archive("AndroidManifest.xml", "classes.dex"),
        archive("mimetype", stored=b"application/epub+zip"),
    ],
)
@pytest.mark.parametrize("name", ["photo.png", "a.txt", "a.csv", "a.docx"])
def test_a_program_or_unknown_binary_has_no_type_whatever_its_name(content: bytes, name: str) -> None:
    assert sniff(content, name) is None


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("data.csv", b"a,b\n1,2\n", "text/csv"),
        ("DATA.CSV", b"a,b\n1,2\n", "text/csv"),
        ("a.json", b' {"a": 1}', "application/json"),
        ("a.json", b"not json", "text/plain"),
        ("a.md", b"# Title", "text/markdown"),
        ("a.py", b"#!/usr/bin/env python3\n", "text/x-python"),
        ("a.ts", b"let a: number", "application/typescript"),
        ("a.unknown", b"text", "text/plain"),
        ("noextension", "\u00e4\u65e5".encode(), "text/plain"),
        ("bom.csv", b"\xef\xbb\xbfa;b\n", "text/csv"),
        ("cut.txt", "a\U0001f600".encode()[:3], "text/plain"),
        ("a.html", b"<p>x</p>", "text/html"),
        ("a.txt", b"\n<!DOCTYPE html><html>", "text/html"),
        ("a.png", b"<!-- x --><script>alert(1)</script>", "text/html"),
        ("a.png", b'<?xml version="1.0"?><svg/>', "text/xml"),
        ("a.svg", b"<svg onload=alert(1)>", "text/xml"),
        ("a.jpg", b"just text", "text/plain"),
    ],
)
def test_a_text_is_what_its_content_and_then_its_name_say(name: str, content: bytes, media_type: str) -> None:
    assert sniff(content, name) == media_type


def test_a_document_whose_marks_come_late_is_known_by_its_name() -> None:
    content = archive("xl/styles.xml", "xl/worksheets/sheet1.xml")

    assert (sniff(content, "a.xlsx"), sniff(content, "a.zip")) == (XLSX, "application/zip")


def test_an_mp4_that_does_not_tell_is_audio_when_its_name_says_so() -> None:
    assert (sniff(mp4(b"isom"), "audio-1.mp3"), sniff(mp4(b"isom"), "clip.mp4")) == ("audio/mp4", "video/mp4")


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("image/png", FileKind.IMAGE),
        ("audio/webm", FileKind.AUDIO),
        ("video/mp4", FileKind.ANY),
        ("text/xml", FileKind.ANY),
    ],
)
def test_a_type_has_the_kind_that_deep_chat_shows(media_type: str, kind: FileKind) -> None:
    assert kind_of(media_type) is kind


@pytest.mark.parametrize(
    "markup", [b"<script>alert(1)</script>", b"<html><body>", b"<svg onload=alert(1)>", b"<?php"]
)
@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xfe\x00\x40", "image/jpeg"),
        (b"GIF89a/*", "image/gif"),
    ],
)
def test_markup_behind_the_head_of_an_image_is_no_more_than_that_image(
    head: bytes, media_type: str, markup: bytes
) -> None:
    assert sniff(head + markup, "a.html") == media_type


@pytest.mark.parametrize("head", [b"GIF89a", b"\xff\xd8\xff\xe0", b"ID3\x04\x00", b"RIFF....WEBP", WEBM])
def test_what_a_reader_of_pdf_would_open_too_is_neither(head: bytes) -> None:
    assert sniff(head + b"\n%PDF-1.7\n", "a.gif") is None
    assert sniff(head + bytes(2000) + b"%PDF-1.7\n", "a.gif") is not None


def test_a_text_may_speak_of_pdf_and_an_archive_hold_one() -> None:
    assert sniff(b"A PDF begins with %PDF-1.7\n", "a.txt") == "text/plain"
    assert sniff(archive("a.pdf", stored=b"%PDF-1.7"), "a.zip") == "application/zip"


def test_the_settings_name_every_kind_there_is() -> None:
    (named,) = [field.type for field in fields(Settings) if field.name == "file_kinds"]

    assert set(get_args(get_args(named)[0])) == set(KINDS)


def test_an_old_office_file_is_known_for_what_it_is() -> None:
    assert is_old_office(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    assert not is_old_office(archive("[Content_Types].xml", "word/document.xml"))


BEGINNINGS = st.sampled_from([content for content, _ in BY_CONTENT] + [b"", b"PK\x03\x04"])


@given(BEGINNINGS, st.binary(max_size=200), st.text(max_size=12))
def test_any_bytes_have_a_known_type_or_none(beginning: bytes, rest: bytes, name: str) -> None:
    media_type = sniff((beginning + rest)[:HEAD], name)

    assert media_type is None or media_type in MEDIA_TYPES


@given(st.binary(max_size=60).map(lambda rest: b"<" + rest), st.sampled_from(["a.svg", "a.png", "a.html"]))
def test_markup_is_never_an_image(content: bytes, name: str) -> None:
    assert not (sniff(content, name) or "").startswith("image/")
