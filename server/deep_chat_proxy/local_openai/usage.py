"""Plausible counts of tokens: one for every four characters or bytes."""

from deep_chat_proxy.local_openai.brain.conversation import Conversation

CHARACTERS_PER_TOKEN = 4


def tokens(characters: int) -> int:
    """Never 0."""
    return 1 + characters // CHARACTERS_PER_TOKEN


def tokens_of(known: Conversation) -> int:
    """All that the model has to read."""
    read = len(known.instructions)
    for said in known.messages:
        read += len(said.text) + sum(len(file.data) for file in said.files)
    return tokens(read + sum(len(answered.output) for answered in known.called))
