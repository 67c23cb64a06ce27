"""Errors by remedy: what the one who meets it can do decides the class, not where it arose.

Retry it (`Unavailable`), mend the input (`Rejected`), or stop the line (`Broken`). Nothing else is raised across a
room's border on purpose; whatever else appears is a bug and is left to the supervisor.
"""


class FloorplaneError(Exception):
    """The root of all three remedies."""


class Unavailable(FloorplaneError):  # noqa: N818 - the remedy is the name
    """A peer, a device or a server does not answer now: try again later."""


class Rejected(FloorplaneError):  # noqa: N818 - the remedy is the name
    """The input cannot be accepted and nothing was changed; the sender can mend it.

    Parameters
    ----------
    field
        Where it stands in the input, as a path (``lines/2/qty``).
    value
        What was found there.
    bound
        What would have been accepted, in words.
    """

    def __init__(self, field: str, value: object, bound: str) -> None:
        super().__init__(f"{field}: {value!r} is not {bound}")
        self.field = field
        self.value = value
        self.bound = bound

    def __reduce__(self) -> tuple[type["Rejected"], tuple[str, object, str]]:
        """Cross the border of a process as it is: `Exception` would call it with its text alone."""
        return type(self), (self.field, self.value, self.bound)


class Broken(FloorplaneError):  # noqa: N818 - the remedy is the name
    """An invariant does not hold or a resource is damaged: stop, keep the evidence, ask a person."""
