"""Files that come within JSON, as `data:` URLs. Other URLs are never fetched."""

import binascii

from deep_chat_proxy.browser.files_in.uploads import Uploads
from deep_chat_proxy.browser.wire import WireFile, decoded, is_null
from deep_chat_proxy.errors import refused

# Base64 characters that are decoded at once: 48 KiB of file, and a multiple of four.
_SLICE = 65_536


async def take_inline_file(file: WireFile, uploads: Uploads) -> None:
    """Hand the bytes of `file` to `uploads`, if it brings any.

    What Deep Chat keeps of a file in its history may be `{"ref": {}}` and a name, or a URL; such an entry is
    passed over. Raises ChatError: 400 for broken base64, and what `Uploads` raises.
    """
    src = decoded(file.src, str)
    if src is None or src[:5].lower() != "data:":
        return
    declaration, comma, _ = src[5:2048].partition(",")
    if not comma or not declaration.lower().endswith(";base64"):
        raise refused(400, "A file in the request is not encoded as base64.")
    name = None if is_null(file.name) else decoded(file.name, str)
    await uploads.start(name or "file")
    start = len("data:") + len(declaration) + len(comma)
    for at in range(start, len(src), _SLICE):
        await uploads.write(_bytes_of(src[at : at + _SLICE], last=at + _SLICE >= len(src)))
    await uploads.finish()


def _bytes_of(encoded: str, *, last: bool) -> bytes:
    try:
        data = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:  # binascii.Error, or a character beyond ASCII
        data = b""
    # Only the last slice may end in padding.
    if not data or not (last or len(data) * 4 == len(encoded) * 3):
        raise refused(400, "A file in the request is not valid base64.")
    return data
