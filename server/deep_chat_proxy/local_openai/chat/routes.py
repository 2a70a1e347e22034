"""The paths of Chat Completions, below the base URL."""

from deep_chat_proxy.local_openai.chat import completions

ROUTES = (("POST", "chat/completions", completions.create),)
