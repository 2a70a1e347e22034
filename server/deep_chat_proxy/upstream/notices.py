"""Words of our own at the head of an answer, in Markdown, where the conversation before it cannot go on."""

THREAD_LOST = "*The earlier conversation is no longer there, so this is the beginning of a new one.*"
THREAD_ELSEWHERE = (
    "*The earlier conversation was held with another service, so this is the beginning of a new one.*"
)
