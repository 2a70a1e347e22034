"""Requests of every kind, to be drawn by hypothesis: sensible, odd and broken ones."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from captured import capture, capture_names

BOUNDARY = "----WebKitFormBoundaryvGGM8uhiBdcN5DT2"
PATHS = (
    "/api/chat",
    "/api/chat/stop",
    "/api/threads",
    "/api/files/abc/data.csv",
    "/api/files/../../etc/passwd",
    "/api/files/%00/%ff",
    "/api/history?thread_id=x&page=-1",
    "/healthz",
    "/page/page.js",
    "/page/../page.py",
    "/\xe4\xf6",
    "/a b",
    "/page/%2e%2e/%2e%2e/settings.py",
    "*",
    "//api//chat",
    "http://example.org/api/chat",
)
MESSAGE = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="message9"\r\n\r\n'.encode()
METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
TYPES = (
    "application/json",
    "text/plain;charset=UTF-8",
    "application/json; charset=utf-16",
    "application/json; charset=nonsense",
    f"multipart/form-data; boundary={BOUNDARY}",
    "multipart/form-data",
    'multipart/form-data; boundary=""',
    "multipart/mixed; boundary=x",
    "application/x-www-form-urlencoded",
    "",
    ";;;===",
)
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}

# Printable, so that one drawn text is one header line.
header_text = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, categories=("L", "N", "P", "S", "Zs")), max_size=60
)
odd_headers = st.sampled_from(
    [
        "Cookie: deep_chat_session=x",
        "Cookie: deep_chat_session=gAAAAABrBXPMQyq24bLwn70LqKtdLjzTIWFv9FcOuTPfitp6YhMjdchzVsfZnKApn",
        'Cookie: deep_chat_session="a\\073b"; deep_chat_session=; =; ;;',
        "Cookie: deep_chat_session=\xe4\xf6\xfc",
        "Cookie: " + "a=b; " * 300,
        "Origin: null",
        "Origin: http://[::1",
        "Origin: https://elsewhere.example",
        "Origin: http://127.0.0.1:port",
        "Origin: ",
        "Host: [",
        "Host: evil.example:99999999",
        "X-Forwarded-Proto: https, http",
        "Last-Event-ID: -1",
        "Range: bytes=5-1,-9",
        "If-Modified-Since: never",
        "If-None-Match: *",
        "Expect: 100-continue",
        "Expect: a-miracle",
        "Upgrade: websocket",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: x, \xff",
        "Transfer-Encoding: chunked",
        "Accept: text/event-stream",
        "Accept: */*;q=nonsense",
        "accept: TEXT/EVENT-STREAM",
    ]
)
headers = st.lists(
    odd_headers
    | st.builds(
        "{}: {}".format, st.sampled_from(["Cookie", "Accept", "Origin", "Accept-Language"]), header_text
    ),
    max_size=4,
)

# Texts that the local OpenAI answers, so that an error can only be the server's.
words = st.text(max_size=40).map(lambda text: f"echo {text}")
names = st.text(max_size=12) | st.sampled_from(
    ["messages", "role", "text", "files", "html", "custom", "src", "_sessionId"]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.sampled_from(["user", "ai", "null"])
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
file_entries = st.fixed_dictionaries(
    {},
    optional={
        "src": st.sampled_from(
            [
                "data:text/csv;base64,YSxiCjEsMgo=",
                "data:image/png;base64,iVBORw0KGgo=",
                "data:;base64,====",
                "data:text/plain,hello",
                "data:text/plain;base64,",
                "https://example.org/x.png",
                "file:///etc/passwd",
                "DATA:text/plain;BASE64,aGVsbG8=",
            ]
        )
        | json_values,
        "name": words | json_values,
        "type": json_values,
        "ref": st.just({}),
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "user", "user", "ai", "tool"]) | json_values,
        "text": words | json_values,
        "html": json_values,
        "files": st.lists(file_entries, max_size=3) | json_values,
        "custom": json_values,
        "_sessionId": json_values,
    },
)
good_messages = st.fixed_dictionaries(
    {"role": st.just("user"), "text": words}, optional={"custom": json_values}
)
chats = st.fixed_dictionaries(
    {
        "messages": st.builds(lambda old, new: [*old, new], st.lists(messages, max_size=2), good_messages)
        | st.lists(messages, min_size=1, max_size=3)
        | json_values
    },
    optional={"thread_id": st.sampled_from(["undefined", "null", "", "thread_abc", None]) | json_values},
)


def encoded(value: Any) -> bytes:
    """JSON as browsers write it, also of what has no Unicode form."""
    return json.dumps(value, ensure_ascii=True).encode()


json_bodies = (
    chats.map(encoded)
    | json_values.map(encoded)
    | st.binary(max_size=200)
    | st.sampled_from(
        [b"", b"[" * 5000, b'{"messages":' * 3000, b'{"messages":[{"role":"user","text":"\xff"}]}']
    )
)


contents = (
    good_messages.map(encoded)
    | st.sampled_from(
        [b"a,b\r\n1,2\r\n", b"%PDF-1.4\n%%EOF", b"GIF89a" + bytes(20), b"PK\x03\x04" + bytes(40)]
    )
    | st.binary(max_size=300)
    | messages.map(encoded)
    | json_values.map(encoded)
)


@st.composite
def parts(draw: st.DrawFn) -> bytes:
    """One part of a form: a file, a message, a field, or nonsense."""
    name = draw(
        st.sampled_from(["files", "files", "message1", "message2", "message999999999", "thread_id"])
        | header_text
    )
    disposition = f'Content-Disposition: form-data; name="{name}"'
    content = draw(contents)
    if draw(st.booleans()):
        disposition += f'; filename="{draw(header_text)}"'
    lines = draw(
        st.lists(
            st.sampled_from(["Content-Type: text/csv", "Content-Type: \xff", "X: " + "y" * 3000]), max_size=2
        )
    )
    return "\r\n".join([f"--{BOUNDARY}", disposition, *lines, "", ""]).encode("latin-1") + content + b"\r\n"


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """The body of a form, which may lack its end or be cut anywhere."""
    body = b"".join(draw(st.lists(parts(), max_size=4)))
    if draw(st.booleans()):
        body += MESSAGE + encoded(draw(good_messages)) + b"\r\n"
    body += draw(st.sampled_from([f"--{BOUNDARY}--\r\n".encode(), b"", b"--\r\n"]))
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 4)) == 0 else body


@st.composite
def requests(draw: st.DrawFn, bodies: st.SearchStrategy[bytes], *, chat: bool = False) -> bytes:
    """A whole request; `chat` draws only posts to the chat."""
    method = "POST" if chat else draw(st.sampled_from(METHODS))
    path = (
        "/api/chat"
        if chat
        else draw(st.sampled_from(PATHS) | header_text.map(lambda text: "/" + quote(text)))
    )
    encoding = draw(st.sampled_from([*[None] * 8, *ENCODINGS, "br", "zstd", "nonsense"]))
    body = draw(bodies)
    if encoding in ENCODINGS and draw(st.booleans()):
        body = ENCODINGS[encoding](body)
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines.append(f"Content-Type: {draw(st.sampled_from(TYPES))}")
    if encoding is not None:
        lines.append(f"Content-Encoding: {encoding}")
    lines += draw(st.just([]) | headers)
    if not any(line.startswith("Host:") for line in lines):
        lines.insert(1, "Host: 127.0.0.1")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@st.composite
def damaged_captures(draw: st.DrawFn) -> bytes:
    """A request of the real Deep Chat in which some bytes are others."""
    found = capture(draw(st.sampled_from(capture_names())))
    request = bytearray(found.raw.replace(b"Origin:", b"X-Origin:"))
    for at in draw(st.lists(st.integers(0, len(request) - 1), min_size=1, max_size=4)):
        request[at] = draw(st.integers(0, 255))
    return bytes(request)
