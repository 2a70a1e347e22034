"""The cookie secret: made once, for the owner's eyes, whole or not at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deep_chat_proxy.store.secret import kept_secret


def test_a_secret_is_made_once_and_stays_over_restarts(tmp_path: Path) -> None:
    store = tmp_path / "folder" / "store.sqlite3"
    first = kept_secret(store)

    assert len(first) >= 32
    assert kept_secret(store) == first


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    kept_secret(tmp_path / "folder" / "store.sqlite3")

    assert (tmp_path / "folder" / "store.secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o077 == 0


def test_two_stores_have_two_secrets(tmp_path: Path) -> None:
    assert kept_secret(tmp_path / "a.sqlite3") != kept_secret(tmp_path / "b.sqlite3")


def test_processes_that_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            store = tmp_path / f"{number}.sqlite3"
            assert len(set(pool.map(kept_secret, [store] * 8))) == 1


def test_nothing_but_the_secret_is_left_in_the_folder(tmp_path: Path) -> None:
    kept_secret(tmp_path / "store.sqlite3")

    assert [path.name for path in tmp_path.iterdir()] == ["store.secret"]


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff"])
def test_a_file_without_a_secret_is_refused_as_an_empty_key_would_be_known_to_all(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "store.secret").write_bytes(content)

    with pytest.raises(OSError, match="holds no secret"):
        kept_secret(tmp_path / "store.sqlite3")
