"""Files on disk: hashed while they arrive, gone when nobody takes them."""

import asyncio
import hashlib
import itertools
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deep_chat_proxy.browser.files_in.spool import Spool
from deep_chat_proxy.browser.files_in.uploads import BATCH, Uploads, discard
from deep_chat_proxy.browser.limits import RequestLimits, in_megabytes
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.message import Attachment


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def uploaded(folder: Path | None, name: str, pieces: Iterable[bytes]) -> Attachment:
    uploads = Uploads(RequestLimits(), folder)
    await uploads.start(name)
    for piece in pieces:
        await uploads.write(piece)
    await uploads.finish()
    (attachment,) = uploads.attachments
    return attachment


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(
        st.sampled_from([0, 1, 1000, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH]), min_size=1, max_size=4
    )
)
async def test_a_file_lies_on_disk_as_it_came_however_it_was_split(sizes: list[int], tmp_path: Path) -> None:
    content = b"a" + b"".join(bytes([97 + at]) * size for at, size in enumerate(sizes))
    bounds = [0, 1, *(1 + sum(sizes[: at + 1]) for at in range(len(sizes)))]
    pieces = [content[start:end] for start, end in itertools.pairwise(bounds)]

    attachment = await uploaded(tmp_path, "a.txt", pieces)

    assert await asyncio.to_thread(attachment.path.read_bytes) == content
    assert attachment.sha256 == hashlib.sha256(content).hexdigest()
    assert (attachment.size, attachment.media_type) == (len(content), "text/plain")
    await discard([attachment])
    assert files_in(tmp_path) == []


async def test_a_file_lies_in_the_temporary_folder_by_default_and_only_its_owner_may_read_it() -> None:
    attachment = await uploaded(None, "../../a.txt", [b"x"])
    try:
        status = attachment.path.stat()

        assert str(attachment.path.parent) == tempfile.gettempdir()
        assert "a.txt" not in attachment.path.name
        assert (status.st_mode & 0o777, attachment.name) == (0o600, "a.txt")
    finally:
        await discard([attachment])


async def test_the_same_content_has_the_same_digest_under_any_name(tmp_path: Path) -> None:
    one, two = [await uploaded(tmp_path, name, [b"x"]) for name in ("1.txt", "2.txt")]

    assert (one.sha256, one.path != two.path) == (two.sha256, True)


async def test_discarding_twice_or_after_somebody_else_did_is_harmless(tmp_path: Path) -> None:
    uploads = Uploads(RequestLimits(), tmp_path)
    await uploads.start("a.txt")
    await uploads.write(b"a" * BATCH)
    assert len(files_in(tmp_path)) == 1

    await uploads.discard()
    await uploads.discard()

    assert files_in(tmp_path) == []


async def test_a_file_of_an_unknown_kind_never_reaches_the_disk(tmp_path: Path) -> None:
    uploads = Uploads(RequestLimits(), tmp_path)
    await uploads.start("a.txt")

    with pytest.raises(ChatError) as refusal:
        await uploads.write(bytes(BATCH))

    assert (refusal.value.problem.status, files_in(tmp_path)) == (415, [])


async def test_a_folder_that_takes_no_files_is_the_servers_own_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await uploaded(tmp_path / "missing", "a.txt", [b"x"])


async def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def onto_a_full_disk(descriptor: int, mode: str) -> IO[Any]:
        os.close(descriptor)
        return real(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr(os, "fdopen", onto_a_full_disk)
    uploads = Uploads(RequestLimits(), tmp_path)
    await uploads.start("a.txt")

    with pytest.raises(OSError, match="No space left"):
        await uploads.write(b"a" * BATCH)
    await uploads.discard()

    assert files_in(tmp_path) == []


async def test_a_file_that_is_just_made_when_the_request_is_cancelled_is_removed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    real = tempfile.mkstemp

    def slow(**where: Any) -> tuple[int, str]:
        result: tuple[int, str] = real(**where)
        loop.call_soon_threadsafe(made.set)
        go_on.wait(5)
        return result

    monkeypatch.setattr(tempfile, "mkstemp", slow)
    uploads = Uploads(RequestLimits(), tmp_path)
    await uploads.start("a.txt")
    async with asyncio.timeout(5):
        writing = loop.create_task(uploads.write(b"a" * BATCH))
        await made.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert len(files_in(tmp_path)) == 1
        discarding = loop.create_task(uploads.discard())
        # By the time a thread takes this, another has taken the discard.
        await asyncio.to_thread(go_on.set)
        await discarding

    assert files_in(tmp_path) == []


def test_a_write_that_comes_after_the_discard_makes_no_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.discard()

    spool.append(b"x")

    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("size", "words"), [(32 * 2**20, "32 MB"), (3 * 2**19, "1.5 MB"), (1000, "1,000 bytes")]
)
def test_a_size_is_told_in_words(size: int, words: str) -> None:
    assert in_megabytes(size) == words
