"""A visitor's message as Responses takes it: its files uploaded, or sent along with it."""

from collections.abc import Mapping

from msgspec import Struct

from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.transcript import AttachedFile, UserSaid
from deep_chat_proxy.upstream.attachments import DATA_TYPES, MessageFiles, can_be_sent, is_text, not_taken
from deep_chat_proxy.upstream.files import SentFile
from deep_chat_proxy.upstream.uploads import Uploads

# A message needs a content; this stands where a visitor sent files and no word.
_FILES_ONLY = "Please look at the attached file."


class NewMessage(Struct, frozen=True):
    """What the visitor said, and the uploaded files that are for the code interpreter rather than for the model."""

    said: UserSaid
    code_files: tuple[str, ...] = ()


async def sent_along(message: UserMessage, files: MessageFiles) -> NewMessage:
    """The message with its files in it. Raises ChatError for one that the assistant can do nothing with."""
    return NewMessage(UserSaid(message.text or _FILES_ONLY, await files.take(message.attachments)))


async def uploaded(
    message: UserMessage, uploads: Uploads, stored: Mapping[str, str], *, with_code: bool
) -> NewMessage:
    """The message with its files uploaded, but for those that are `stored` already; data goes to the code interpreter
    where there is one (`with_code`).

    Raises ChatError for a file that the assistant can do nothing with, and where one is refused.
    """
    for attachment in message.attachments:
        if not _can_be_read(attachment, with_code=with_code):
            raise not_taken(attachment.name)
    sent = await uploads.send(message.attachments, stored)
    for_code = [file for file in sent if with_code and file.attachment.media_type in DATA_TYPES]
    attached = tuple(_attached(file, for_code=file in for_code) for file in sent)
    return NewMessage(
        UserSaid(message.text or _FILES_ONLY, attached), tuple(file.upstream_id for file in for_code)
    )


def _can_be_read(attachment: Attachment, *, with_code: bool) -> bool:
    media_type = attachment.media_type
    return can_be_sent(attachment) or is_text(media_type) or (with_code and media_type in DATA_TYPES)


def _attached(file: SentFile, *, for_code: bool) -> AttachedFile:
    attachment = file.attachment
    # What lies in the container is only named to the model.
    upstream_id = None if for_code else file.upstream_id
    return AttachedFile(attachment.name, attachment.media_type, attachment.kind, upstream_id=upstream_id)
