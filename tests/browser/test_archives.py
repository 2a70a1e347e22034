"""What a zip archive says of itself is believed only where it fits, and refused where unpacking it would do harm."""

import io
import random
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deep_chat_proxy.browser.files_in import archives
from deep_chat_proxy.browser.files_in.archives import DEEPEST, MOST_TIMES, check_archive
from deep_chat_proxy.browser.files_in.directory import BadDirectoryError, entries_of, find_directory
from deep_chat_proxy.errors import ChatError

ZIP = "application/zip"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
END = struct.Struct("<4s4H2IH")
DOCUMENT = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"}


def archive(entries: dict[str, bytes], *, compressed: bool = False, comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as made:
        for name, data in entries.items():
            made.writestr(zipfile.ZipInfo(name), data, made.compression)
        made.comment = comment
    return target.getvalue()


def zip64(name: str, data: bytes) -> bytes:
    """An archive that is written as if it were too large for the plain fields."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made, made.open(name, "w", force_zip64=True) as entry:
        entry.write(data)
    whole = target.getvalue()
    at = whole.rindex(b"PK\x05\x06")
    _, _, _, _, count, size, start, _ = END.unpack_from(whole, at)
    end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    plain = END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return whole[:at] + end + locator + plain


def declaring(data: bytes, **changed: int) -> bytes:
    """The archive with other numbers at the entry of its directory: `unpacked`, `packed`, `flags`."""
    changed_at = {"flags": (8, "<H"), "packed": (20, "<I"), "unpacked": (24, "<I")}
    whole = bytearray(data)
    at = whole.index(b"PK\x01\x02")
    for field, value in changed.items():
        offset, form = changed_at[field]
        struct.pack_into(form, whole, at + offset, value)
    return bytes(whole)


def check(folder: Path, data: bytes, media_type: str = ZIP) -> None:
    path = folder / "archive"
    path.write_bytes(data)
    check_archive(path, "a.zip", media_type)


def refusal(folder: Path, data: bytes, media_type: str = ZIP) -> tuple[int, str]:
    with pytest.raises(ChatError) as refused:
        check(folder, data, media_type)
    assert refused.value.problem.sentence.startswith('"a.zip" ')
    return refused.value.problem.status, refused.value.problem.sentence


@pytest.mark.parametrize(
    "data",
    [
        archive({"a.txt": b"text", "folder/b.txt": b"more"}),
        archive({"a.txt": b"some text\n" * 20}, compressed=True),
        archive({}),
        archive({"a.txt": b"x"}, comment=b"a comment"),
        archive({"inner.zip": archive({"a.txt": b"x"})}),
        zip64("a.txt", b"text"),
        archive({"..a/b..": b"x", "über.txt": b"x"}),
        declaring(archive({"a.txt": b"x"}), flags=1),
    ],
    ids=["plain", "deflated", "empty", "comment", "nested", "zip64", "dots", "locked"],
)
def test_an_honest_archive_passes_whatever_wrote_it(data: bytes, tmp_path: Path) -> None:
    check(tmp_path, data)


def test_an_honest_document_passes_as_one(tmp_path: Path) -> None:
    check(tmp_path, archive(DOCUMENT), DOCX)


def test_an_archive_that_declares_more_than_fits_on_a_disk_is_refused(tmp_path: Path) -> None:
    status, sentence = refusal(tmp_path, declaring(archive({"a.txt": b"x"}), unpacked=2**32 - 2))

    assert (status, "1.02e+03 MB" in sentence or "1,024 MB" in sentence) == (413, True)


def test_an_archive_that_is_packed_too_well_to_be_true_is_refused(tmp_path: Path) -> None:
    data = archive({"a.txt": b"0" * 5_000_000}, compressed=True)
    assert len(data) * MOST_TIMES < 5_000_000

    assert refusal(tmp_path, data)[0] == 413


def test_entries_that_lie_on_top_of_each_other_are_refused(tmp_path: Path) -> None:
    data = archive({"a.txt": b"x" * 100})

    assert refusal(tmp_path, declaring(data, packed=5000, unpacked=5000))[0] == 415


def test_an_archive_of_too_many_files_is_refused_before_they_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_ENTRIES", 3)
    names = {f"{number}.txt": b"x" for number in range(4)}

    check(tmp_path, archive(dict(list(names.items())[:3])))
    assert refusal(tmp_path, archive(names)) == (
        413,
        '"a.zip" holds too many files: an archive can have at most 3.',
    )


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a/../../b",
        "/etc/passwd",
        "..\\..\\evil.exe",
        "C:\\Windows\\a.dll",
        "\\\\host\\share",
        "d/" * DEEPEST + "a.txt",
    ],
)
def test_a_path_that_leads_out_of_the_archive_or_without_end_into_it_is_refused(
    name: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path, archive({name: b"x"})) == (
        415,
        '"a.zip" holds files whose paths lead out of it, so it cannot be sent.',
    )


def test_a_document_with_a_password_is_refused_and_says_so(tmp_path: Path) -> None:
    status, sentence = refusal(tmp_path, declaring(archive(DOCUMENT), flags=1), DOCX)

    assert (status, "password" in sentence) == (415, True)


@pytest.mark.parametrize("name", ["word/vbaProject.bin", "xl/VBAPROJECT.BIN"])
def test_a_document_with_macros_is_refused_and_says_so(name: str, tmp_path: Path) -> None:
    status, sentence = refusal(tmp_path, archive({**DOCUMENT, name: b"x"}), DOCX)

    assert (status, "macros" in sentence) == (415, True)


def test_a_program_behind_any_number_of_other_entries_is_found(tmp_path: Path) -> None:
    names = [*(f"{number}.txt" for number in range(200)), "META-INF/MANIFEST.MF"]

    assert refusal(tmp_path, archive(dict.fromkeys(names, b"x"))) == (
        415,
        '"a.zip" is a program, which cannot be sent.',
    )


WHOLE = archive({"a.txt": b"text", "b.txt": b"more"})
END_AT = WHOLE.rindex(b"PK\x05\x06")


def ending(count: int, size: int, start: int) -> bytes:
    return WHOLE[:END_AT] + END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0)


_, _, _, _, COUNT, SIZE, START, _ = END.unpack_from(WHOLE, END_AT)


@pytest.mark.parametrize(
    "data",
    [
        WHOLE[:END_AT],
        WHOLE[:-1],
        WHOLE + b"x",
        b"prefix" + WHOLE,
        b"PK\x03\x04",
        WHOLE[:END_AT] + WHOLE[END_AT:-2] + b"\x05\x00",
        ending(COUNT + 1, SIZE, START),
        ending(COUNT - 1, SIZE, START),
        ending(COUNT, SIZE - 1, START + 1),
        ending(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        declaring(WHOLE, unpacked=0xFFFFFFFF),
        zip64("a.txt", b"x").replace(b"PK\x06\x06", b"PK\x06\x05"),
    ],
)
def test_an_archive_whose_directory_does_not_fit_it_is_damaged(data: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path, data) == (415, '"a.zip" is damaged. Please make the file again.')


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([WHOLE, zip64("a.txt", b"x"), archive(DOCUMENT)]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_any_damage_is_refused_with_a_sentence_or_does_not_matter(
    tmp_path: Path, data: bytes, damage: list[tuple[int, int]]
) -> None:
    whole = bytearray(data)
    for at, value in damage:
        whole[at % len(whole)] = value
    with suppress(ChatError):
        check(tmp_path, bytes(whole), DOCX)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_directory_or_none(data: bytes) -> None:
    with suppress(BadDirectoryError):
        list(entries_of(io.BytesIO(data), find_directory(io.BytesIO(data))))


@pytest.mark.parametrize("declared", [9_999, 65_000])
def test_a_directory_of_any_length_takes_no_memory(declared: int, tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, *[0] * 5, 1, 1, 1, *[0] * 6) + b"a"
    entries = entry * 300_000
    end = END.pack(b"PK\x05\x06", 0, 0, declared, declared, len(entries), 30, 0)
    data = b"PK\x03\x04" + bytes(26) + entries + end
    (tmp_path / "archive").write_bytes(data)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with pytest.raises(ChatError):
            check_archive(tmp_path / "archive", "a.zip", ZIP)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak - before < 2**20


def test_the_directory_says_what_the_standard_library_says() -> None:
    numbers = random.Random(7)
    names = {f"{number}/{'n' * number}.txt": numbers.randbytes(number * 10) for number in range(40)}
    data = archive(names, compressed=True)
    with zipfile.ZipFile(io.BytesIO(data)) as known:
        expected = [(each.filename, each.compress_size, each.file_size) for each in known.infolist()]

    file = io.BytesIO(data)
    found = list(entries_of(file, find_directory(file)))

    assert [(each.name.decode(), each.packed, each.unpacked) for each in found] == expected
