"""VDA 5050 topics: ``interface/major/manufacturer/serial/name`` (6.5), and how each is sent."""

from typing import NamedTuple

from contracts.errors import Rejected

INTERFACE = "uagv"
MAJOR = "v2"

ORDER = "order"
INSTANT_ACTIONS = "instantActions"
STATE = "state"
CONNECTION = "connection"
VISUALIZATION = "visualization"
FACTSHEET = "factsheet"
NAMES = (ORDER, INSTANT_ACTIONS, STATE, CONNECTION, VISUALIZATION, FACTSHEET)
ZONE_SET = "zoneSet"
RESPONSES = "responses"
NAMES_3 = (*NAMES, ZONE_SET, RESPONSES)
"""From version 3 on."""

QOS = dict.fromkeys(NAMES_3, 0) | {CONNECTION: 1}
RETAINED = dict.fromkeys(NAMES_3, False) | {CONNECTION: True, FACTSHEET: True}


class Address(NamedTuple):
    """A topic taken apart."""

    interface: str
    major: str
    manufacturer: str
    serial: str
    name: str


def topic(manufacturer: str, serial: str, name: str, interface: str = INTERFACE, major: str = MAJOR) -> str:
    """Return the topic of one vehicle.

    Raises
    ------
    Rejected
        A part is empty or has a character that MQTT gives a meaning (``/``, ``+``, ``#``).
    """
    address = Address(interface, major, manufacturer, serial, name)
    for field, part in zip(Address._fields, address, strict=True):
        if not part or any(c in part for c in "/+#"):
            raise Rejected(field, part, "a topic level: not empty, without '/', '+' and '#'")
    return "/".join(address)


def pattern(name: str, manufacturer: str = "+", serial: str = "+", interface: str = INTERFACE, major: str = "+") -> str:
    """Return the subscription for one kind of message of many vehicles; by default all, of any major version."""
    return f"{interface}/{major}/{manufacturer}/{serial}/{name}"


def parse(text: str) -> Address:
    """Take a topic apart; the interface name itself may have levels.

    Raises
    ------
    Rejected
        It has fewer than five levels, or an empty one.
    """
    interface, *rest = text.rsplit("/", 4)
    if len(rest) != 4 or not interface or not all(rest):
        raise Rejected("topic", text, "interface/major/manufacturer/serial/name")
    return Address(interface, *rest)
