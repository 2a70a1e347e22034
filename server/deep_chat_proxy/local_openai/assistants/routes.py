"""The paths of the Assistants API, below the base URL."""

from deep_chat_proxy.local_openai.assistants import assistants, messages, runs, starting, steps, threads

ROUTES = (
    ("GET", "assistants", assistants.list_assistants),
    ("POST", "assistants", assistants.create),
    ("GET", "assistants/{assistant_id}", assistants.retrieve),
    ("POST", "assistants/{assistant_id}", assistants.modify),
    ("DELETE", "assistants/{assistant_id}", assistants.delete),
    ("POST", "threads", threads.create),
    # Before the thread of that name: `runs` is no thread id.
    ("POST", "threads/runs", starting.create_thread_and_run),
    ("GET", "threads/{thread_id}", threads.retrieve),
    ("POST", "threads/{thread_id}", threads.modify),
    ("DELETE", "threads/{thread_id}", threads.delete),
    ("GET", "threads/{thread_id}/messages", messages.list_messages),
    ("POST", "threads/{thread_id}/messages", messages.create),
    ("GET", "threads/{thread_id}/messages/{message_id}", messages.retrieve),
    ("POST", "threads/{thread_id}/messages/{message_id}", messages.modify),
    ("DELETE", "threads/{thread_id}/messages/{message_id}", messages.delete),
    ("GET", "threads/{thread_id}/runs", runs.list_runs),
    ("POST", "threads/{thread_id}/runs", starting.create_run),
    ("GET", "threads/{thread_id}/runs/{run_id}", runs.retrieve),
    ("POST", "threads/{thread_id}/runs/{run_id}", runs.modify),
    ("POST", "threads/{thread_id}/runs/{run_id}/submit_tool_outputs", runs.submit_tool_outputs),
    ("POST", "threads/{thread_id}/runs/{run_id}/cancel", runs.cancel),
    ("GET", "threads/{thread_id}/runs/{run_id}/steps", steps.list_steps),
    ("GET", "threads/{thread_id}/runs/{run_id}/steps/{step_id}", steps.retrieve),
)
