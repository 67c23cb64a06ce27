"""Who waits for the next publication."""

import asyncio


class Published:
    """Wakes those who follow what was published."""

    def __init__(self) -> None:
        self._followers: list[asyncio.Event] = []

    def follow(self) -> asyncio.Event:
        """Return an event that is set after each publication, until `unfollow`."""
        wake = asyncio.Event()
        self._followers.append(wake)
        return wake

    def unfollow(self, wake: asyncio.Event) -> None:
        """Forget it."""
        self._followers.remove(wake)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    def published(self) -> None:
        """Something was published."""
        for wake in self._followers:
            wake.set()
