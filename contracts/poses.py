"""The pose frame: where all robots are, small enough to be sent ten times a second.

Little-endian. Header of 16 bytes: ``u32 magic`` (0x50464C31), ``u32 count``, ``u64 at_ms``. Then ten bytes a robot:
``u16 index`` into the fleet view's list, ``i16 x_cm / 2``, ``i16 y_cm / 2`` (2 cm steps, plus and minus 655 m),
``i16 heading`` in units of pi / 32768, ``u8 state`` (its place in `VehicleState`), ``u8 flags`` (1: carries a pod).
"""

import math

import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected

MAGIC = 0x50464C31
STEP_M = 0.02
RECORD = np.dtype([("index", "<u2"), ("x", "<i2"), ("y", "<i2"), ("heading", "<i2"), ("state", "u1"), ("flags", "u1")])
_HEADER = np.dtype([("magic", "<u4"), ("count", "<u4"), ("at_ms", "<u8")])


def pack(
    at_ms: int,
    index: npt.NDArray[np.integer],
    x_m: npt.NDArray[np.floating],
    y_m: npt.NDArray[np.floating],
    heading_rad: npt.NDArray[np.floating],
    state: npt.NDArray[np.integer],
    loaded: npt.NDArray[np.bool_],
) -> bytes:
    """Write a frame; all arrays have shape (robots,), headings in (-pi, pi]."""
    records = np.empty(len(index), RECORD)
    records["index"] = index
    records["x"] = np.clip(np.rint(x_m / STEP_M), -32768, 32767)
    records["y"] = np.clip(np.rint(y_m / STEP_M), -32768, 32767)
    records["heading"] = np.clip(np.rint(heading_rad / math.pi * 32768), -32768, 32767)
    records["state"] = state
    records["flags"] = loaded
    header = np.array([(MAGIC, len(records), at_ms)], _HEADER)
    return header.tobytes() + records.tobytes()


def unpack(frame: bytes) -> tuple[int, npt.NDArray[np.void]]:
    """Read a frame: its time and its records (dtype `RECORD`).

    Raises
    ------
    Rejected
        Not a frame, or one that was cut off.
    """
    if len(frame) < _HEADER.itemsize or np.frombuffer(frame, "<u4", 1)[0] != MAGIC:
        raise Rejected("frame", frame[:8].hex(), "a pose frame")
    header = np.frombuffer(frame, _HEADER, 1)[0]
    body = frame[_HEADER.itemsize :]
    if len(body) != int(header["count"]) * RECORD.itemsize:
        raise Rejected("frame", len(body), f"{int(header['count'])} records of {RECORD.itemsize} bytes")
    return int(header["at_ms"]), np.frombuffer(body, RECORD)
