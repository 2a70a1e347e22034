"""Files that somebody sends to do harm or by mistake, made here, and the bodies that they come in."""

import io
import struct
import zipfile
import zlib

BOUNDARY = "----WebKitFormBoundaryvGGM8uhiBdcN5DT2"

SCRIPT = b"<script>alert(1)</script>"
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024)
DOCUMENT = {"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<x/>", "word/document.xml": b"<w:document/>"}


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, data in entries.items():
            made.writestr(zipfile.ZipInfo(name), data, method)
    return target.getvalue()


def deflated(entries: dict[str, bytes]) -> bytes:
    return archive(entries, zipfile.ZIP_DEFLATED)


def declaring(data: bytes, offset: int, form: str, value: int) -> bytes:
    """The archive with another number in the first entry of its directory."""
    whole = bytearray(data)
    struct.pack_into(form, whole, whole.index(b"PK\x01\x02") + offset, value)
    return bytes(whole)


def locked(data: bytes) -> bytes:
    return declaring(data, 8, "<H", 1)


def png(width: int, height: int) -> bytes:
    """A picture of that many black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)
        )

    rows = b"".join(b"\x00" + bytes(width) for _ in range(height))
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def forty_two(depth: int = 3, width: int = 6) -> bytes:
    """Archives within archives, the innermost of which hold what is packed very well."""
    inner = deflated({"0.txt": bytes(1_000_000)})
    for level in range(depth):
        inner = archive({f"{level}-{number}.zip": inner for number in range(width)})
    return inner


TAKEN = {
    "a gif with a script": ("a.gif", b"GIF89a/*" + SCRIPT, "image/gif"),
    "a png with an svg": ("a.png", png(1, 1) + SVG, "image/png"),
    "a jpeg with an archive": ("a.jpg", JPEG + archive({"a.class": b"x"}), "image/jpeg"),
    "an html page as an image": ("a.png", b"<!DOCTYPE html><html>" + SCRIPT, "text/html"),
    "an svg as an image": ("a.png", SVG, "text/xml"),
    "an svg": ("logo.svg", b'<?xml version="1.0"?>' + SVG, "text/xml"),
    "a png as a program": ("setup.exe", png(2, 2), "image/png"),
    "a pdf behind white space": ("a.pdf", b"\r\n%PDF-1.7\n", "application/pdf"),
    "a text about pdf": ("a.txt", b"It begins with %PDF-1.7", "text/plain"),
    "archives in archives": ("42.zip", forty_two(), "application/zip"),
    "a document": (
        "a.docx",
        archive(DOCUMENT),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "a locked archive": ("a.zip", locked(archive({"a.txt": b"x"})), "application/zip"),
    "a text that looks like a form": (
        "a.txt",
        f'--{BOUNDARY}x\r\nContent-Disposition: form-data; name="thread_id"\r\n\r\nmade-up\r\n--'.encode(),
        "text/plain",
    ),
    "a form in a file": (
        "a.txt",
        b'--inner\r\nContent-Disposition: form-data; name="files"; filename="b.exe"\r\n\r\nMZ\r\n--inner--\r\n',
        "text/plain",
    ),
}
"""Name, content, and the media type that it is taken as."""

REFUSED = {
    "nothing": ("a.txt", b"", 400, "is empty"),
    "an image that is a pdf": ("a.gif", b"GIF89a\n%PDF-1.7\n", 415, "of a kind that cannot be sent"),
    "a program": ("photo.png", b"MZ\x90\x00" + bytes(200), 415, "these can: images"),
    "a program of linux": ("a.txt", b"\x7fELF\x02\x01\x01" + bytes(200), 415, "these can: images"),
    "a java program": ("a.zip", archive({"META-INF/MANIFEST.MF": b"x"}), 415, "of a kind"),
    "a hidden java program": (
        "a.zip",
        archive(dict.fromkeys([*map(str, range(100)), "META-INF/MANIFEST.MF"], b"x")),
        415,
        "is a program",
    ),
    "a video": ("a.mp4", b"\x00\x00\x00\x18ftypmp42" + bytes(64), 415, "these can: images"),
    "an old document": ("a.doc", OLE, 415, "save it as .docx"),
    "an old document under a new name": ("a.docx", OLE, 415, "save it as .docx"),
    "a text of 16 bits": ("a.txt", "text".encode("utf-16"), 415, "text files (UTF-8)"),
    "a gzip archive": ("a.txt.gz", b"\x1f\x8b\x08\x00" + bytes(20), 415, "of a kind"),
    "an archive that grows": ("a.zip", deflated({"0.txt": bytes(10_000_000)}), 413, "unpack to too much"),
    "an archive that says it is huge": (
        "a.zip",
        declaring(archive({"a.txt": b"x"}), 24, "<I", 2**32 - 2),
        413,
        "unpack to too much",
    ),
    "a document that grows": (
        "a.docx",
        deflated({**DOCUMENT, "word/media.xml": bytes(10_000_000)}),
        413,
        "unpack to too much",
    ),
    "an archive that lies on itself": (
        "a.zip",
        declaring(archive({"a.txt": b"x" * 99}), 20, "<I", 99_999),
        415,
        "is damaged",
    ),
    "an archive of too many files": (
        "a.zip",
        archive(dict.fromkeys(map(str, range(10_001)), b"x")),
        413,
        "at most 10,000",
    ),
    "an archive that leads out": ("a.zip", archive({"../../.bashrc": b"x"}), 415, "lead out of it"),
    "an archive without end": ("a.zip", archive({"a.txt": b"x"})[:-10], 415, "is damaged"),
    "an archive with something behind it": ("a.zip", archive({"a.txt": b"x"}) + SCRIPT, 415, "is damaged"),
    "a document with macros": (
        "a.docm",
        archive({**DOCUMENT, "word/vbaProject.bin": b"x"}),
        415,
        "holds macros",
    ),
    "a document with a password": ("a.docx", locked(archive(DOCUMENT)), 415, "without one"),
}
"""Name, content, the status, and words of the sentence."""

NAMES = {
    "../../etc/passwd": "passwd",
    "..\\..\\windows\\win.ini": "win.ini",
    "/etc/shadow": "shadow",
    "C:\\autoexec.bat": "autoexec.bat",
    "a%22; filename=%22b.txt": 'a"; filename="b.txt',
    "line%0D%0AX-Evil: 1.txt": "line X-Evil: 1.txt",
    "photo\u202egnp.exe": "photognp.exe",
    "a\u200bb\u2066c.txt": "abc.txt",
    "...": "file",
    "..": "file",
    " . ": "file",
    "": "file",
    "CON": "CON",
    "nul.txt": "nul.txt",
    "COM1.csv": "COM1.csv",
    ".htaccess": ".htaccess",
    "\u65e5\u672c.csv": "\u65e5\u672c.csv",
    "e\u0301.txt": "\xe9.txt",
    "a" * 300 + ".csv": "a" * 116 + ".csv",
    "%2e%2e%2fx.txt": "%2e%2e%2fx.txt",
    "<img src=x onerror=alert(1)>.txt": "<img src=x onerror=alert(1)>.txt",
}
"""Names as a form has them, and what becomes of them."""


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    """One part; the file name stands in it as it is."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"\r\nContent-Type: image/png'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + data + b"\r\n"


def end() -> bytes:
    return f"--{BOUNDARY}--\r\n".encode()


FILE = part("files", b"text", "a.txt")
BROKEN = {
    "a part without end": (FILE[:-2], 400),
    "no end": (FILE, 400),
    "nothing at all": (b"", 400),
    "an end alone": (end(), 400),
    "no end of the headers": (FILE[:80], 400),
    "ten thousand parts": (part("field", b"x") * 10_000 + end(), 413),
    "ten thousand files": (FILE * 10_000 + end(), 413),
    "ten thousand boundaries": (f"--{BOUNDARY}\r\n".encode() * 10_000 + end(), 400),
    "another boundary": (FILE.replace(b"WebKit", b"Webkit") + end(), 400),
    "a header without end": (FILE.replace(b"a.txt", b"a" * 100_000) + end(), 413),
    "a thousand headers": (FILE.replace(b"\r\n\r\n", b"\r\nX-A: b" * 1000 + b"\r\n\r\n", 1) + end(), 413),
    "no disposition": (FILE.replace(b"Content-Disposition", b"X-Disposition") + end(), 400),
    "NUL in a name": (part("files", b"text", "a\0b.txt") + end(), None),
    "a name that is no UTF-8": (FILE.replace(b"a.txt", b"\xff\xfe.txt") + end(), None),
    "a file without a name": (part("files", b"text") + end(), 400),
    "a line break within a name": (part("files", b"text", "a\r\nX: b.txt") + end(), 400),
}
"""Bodies of forms, and the status; None where taking and refusing are both right."""
