"""The list of conversations beside the chat, or in the drawer of a small screen."""

from playwright.async_api import Locator, Page, expect


class ThreadList:
    """The list on one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.place = page.locator("#threads")
        self.button = page.locator("#show-threads")
        self.items = self.place.locator(".thread")
        self.titles = self.items.locator(".thread-title")
        self.current = self.place.locator('[aria-current="true"] > .thread-title')
        self.dialog = page.get_by_role("dialog")

    async def reveal(self) -> None:
        """Open the drawer where there is one."""
        if await self.button.is_visible():
            await self.button.click()
        await expect(self.place).to_be_visible()

    def item(self, title: str) -> Locator:
        """The conversation of that title."""
        return self.items.filter(has=self.page.get_by_text(title, exact=True))

    async def open(self, title: str) -> None:
        """Go to a conversation; returns when it is the current one."""
        await self.reveal()
        await self.item(title).get_by_role("button").first.click()
        await expect(self.current).to_have_text([title])

    async def act(self, what: str, title: str) -> None:
        """Press Rename or Delete of a conversation, which may be seen only under the pointer."""
        await self.item(title).hover()
        await self.item(title).get_by_role("button", name=what).click()

    async def delete(self, title: str) -> None:
        """Delete a conversation for good; the list must be there."""
        await self.act("Delete", title)
        await self.dialog.get_by_role("button", name="Delete").click()
        await expect(self.item(title)).to_have_count(0)
