"""The paths of Responses, Conversations and containers, below the base URL."""

from deep_chat_proxy.local_openai.responses import (
    container_files,
    conversation_items,
    conversations,
    responses,
    starting,
)

RESPONSES_ROUTES = (
    ("POST", "responses", starting.create),
    ("GET", "responses/{response_id}", responses.retrieve),
    ("DELETE", "responses/{response_id}", responses.delete),
    ("POST", "responses/{response_id}/cancel", responses.cancel),
    ("GET", "responses/{response_id}/input_items", responses.list_input_items),
    ("GET", "containers/{container_id}", container_files.retrieve_container),
    ("GET", "containers/{container_id}/files", container_files.list_files),
    ("GET", "containers/{container_id}/files/{file_id}", container_files.retrieve),
    ("DELETE", "containers/{container_id}/files/{file_id}", container_files.delete),
    ("GET", "containers/{container_id}/files/{file_id}/content", container_files.content),
)
CONVERSATIONS_ROUTES = (
    ("POST", "conversations", conversations.create),
    ("GET", "conversations/{conversation_id}", conversations.retrieve),
    ("POST", "conversations/{conversation_id}", conversations.modify),
    ("DELETE", "conversations/{conversation_id}", conversations.delete),
    ("POST", "conversations/{conversation_id}/items", conversation_items.create),
    ("GET", "conversations/{conversation_id}/items", conversation_items.list_items),
    ("GET", "conversations/{conversation_id}/items/{item_id}", conversation_items.retrieve),
    ("DELETE", "conversations/{conversation_id}/items/{item_id}", conversation_items.delete),
)
