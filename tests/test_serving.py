"""What the process does beside the app."""

import pytest

from deep_chat_proxy.serving import host_names
from deep_chat_proxy.settings import Settings

THIS_MACHINE = {"localhost", "*.localhost", "127.0.0.1", "[::1]"}


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", THIS_MACHINE),
        ("127.0.0.2", THIS_MACHINE | {"127.0.0.2"}),
        ("::1", THIS_MACHINE),
        ("localhost", THIS_MACHINE),
        ("0.0.0.0", set()),  # noqa: S104 - nobody listens
        ("::", set()),
        ("10.0.0.7", set()),
        ("chat.example", set()),
        ("", set()),
    ],
)
def test_a_server_that_only_this_machine_can_reach_answers_to_names_of_this_machine_alone(
    host: str, names: set[str]
) -> None:
    assert set(host_names(Settings(host=host))) == names


def test_names_that_are_set_are_the_only_ones() -> None:
    assert host_names(Settings(allowed_hosts=("chat.example",))) == ("chat.example",)
