"""A bounded memory of finished things: enough to answer the same command again, also after a restart."""

from edge.rules.port import Effect, Forget, Memory, Remember


class Memento:
    """The last `keep` values of one kind, by key; every change is an effect to be made durable."""

    def __init__(self, kind: str, memory: Memory, keep: int = 5000) -> None:
        self._kind, self._keep = kind, keep
        self._values = dict(memory.get(kind, {}))

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> bytes | None:
        """Return what is remembered under a key."""
        return self._values.get(key)

    def items(self) -> list[tuple[str, bytes]]:
        """Return all, the oldest first."""
        return list(self._values.items())

    def put(self, key: str, value: bytes) -> list[Effect]:
        """Remember, as the newest; the oldest beyond the bound is forgotten."""
        self._values.pop(key, None)
        self._values[key] = value
        effects: list[Effect] = [Remember(self._kind, key, value)]
        while len(self._values) > self._keep:
            effects += self.drop(next(iter(self._values)))
        return effects

    def drop(self, key: str) -> list[Effect]:
        """Forget one, if it is there."""
        if self._values.pop(key, None) is None:
            return []
        return [Forget(self._kind, key)]
