"""Turns that run, and none that outlives its test."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deep_chat_proxy.tasks import Tasks
from playing import Step
from turn.running import Run, Start


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    tasks = Tasks()

    def run(*stretches: list[Step], **options: Any) -> Run:
        return Run(tasks, *stretches, **options).start()

    yield run
    await tasks.close()
