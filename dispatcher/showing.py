"""What consoles see: the fleet's view and the robots' poses, said again and again."""

import asyncio
from collections.abc import Callable

from contracts import topics
from contracts.codec import encode
from contracts.ids import SiteId
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from dispatcher import views
from dispatcher.hearing import Ear
from dispatcher.settings import DispatcherSettings
from dispatcher.world import World

_SHOWN = 10
"""Messages that could not be read, the newest ones."""
_VIEWED = 20
"""Robots are described for the view so many at a time, between other things."""


class Screen:
    """Says how the fleet is.

    Parameters
    ----------
    settings
        How often.
    site
        Whose fleet.
    log
        Where it is said.
    clock
        Floor time.
    world
        Returns what the core knows.
    ear
        What was heard beside that.
    """

    def __init__(
        self, settings: DispatcherSettings, site: SiteId, log: Log, clock: Clock, world: Callable[[], World], ear: Ear
    ) -> None:
        self._settings, self._site, self._log, self._clock = settings, site, log, clock
        self._world, self._ear = world, ear

    async def say_views(self) -> None:
        """Say how the fleet is, again and again."""
        subject = topics.fleet(self._site)
        while True:
            await self._clock.sleep(1 / self._settings.view_hz)
            robots = []
            for v in [*self._world().vehicles.values(), *self._world().strangers.values()]:
                robots.append(views.robot_view(self._world(), v, self._clock.now_ms(), self._ear.places))
                if len(robots) % _VIEWED == 0:
                    await asyncio.sleep(0)  # robots are not kept waiting by a large fleet's view
            newest = list(self._ear.unreadable)[-_SHOWN:]
            view = views.fleet_view(
                self._world(), self._clock.now_ms(), robots, self._ear.deviations, newest, self._ear.unread
            )
            self._log.say(subject, encode(view))

    async def say_poses(self) -> None:
        """Say where the robots are, again and again."""
        subject = topics.poses(self._site)
        while True:
            await self._clock.sleep(1 / self._settings.pose_hz)
            self._log.say(subject, views.pose_frame(self._world(), self._clock.now_ms(), self._ear.places))
