"""Become another program that dies with its parent and, where asked, is not root.

Run as a script before the program it becomes (same process id):
``python -I -S launch.py PARENT SIGNAL IDENTITY -- ARGV``. It is a program of its own because a child between fork and
exec may not safely run Python when its parent has threads, and it imports only the standard library because it must
start in a few milliseconds.

Identities
----------
``same``
    Whoever we are.
``namespace:UID``
    A user namespace of its own in which we appear as UID; files stay ours. Needs no privilege where the kernel allows.
``user:UID:GID``
    Another user, reached with setuid by root. It keeps the right to read through folders that are closed to others
    (a server in root's home must reach its own binaries), and nothing else.
"""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAPBSET_READ, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 23, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_namespace(uid: int) -> None:
    """Move this process into a user namespace where it appears as `uid`.

    Raises
    ------
    OSError
        The kernel or a container's rules refuse it.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{uid} {outer_gid} 1")


def drop_to(uid: int, gid: int) -> None:
    """Become another user, keeping only the right to read through closed folders.

    Raises
    ------
    OSError
        We are not root, or a container's rules refuse it.
    """
    # A container often has no CAP_DAC_READ_SEARCH to give; CAP_DAC_OVERRIDE is then the least that reaches the files.
    cap = next((c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if _libc.prctl(PR_CAPBSET_READ, c, 0, 0, 0)), None)
    _check(_libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    mask = 0 if cap is None else 1 << cap
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _check(_libc.capset(header, sets), "capset")
    if cap is not None:
        _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0), "prctl(PR_CAP_AMBIENT)")


def main(argv: list[str]) -> None:
    """Take on the identity, arrange our death, and become the program."""
    parent, signal_number, identity = int(argv[0]), int(argv[1]), argv[2].split(":")
    command = argv[argv.index("--") + 1 :]
    if identity[0] == "namespace":
        enter_namespace(int(identity[1]))
    elif identity[0] == "user":
        drop_to(int(identity[1]), int(identity[2]))
    if signal_number:  # after the change of identity, which would undo it
        _check(_libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # it died before we could ask
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


def argv(command: list[str], *, death_signal: int, identity: str = "same") -> list[str]:
    """Return the command line that runs a command through this program, as a child of the calling process.

    Parameters
    ----------
    command
        Absolute path of the program and its arguments.
    death_signal
        What the kernel sends the child when the **thread** that starts it ends (0: nothing): start such children from
        the main thread.
    identity
        See the module.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), identity, "--", *command]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        try:
            main(sys.argv[1:])
        except OSError as e:
            print(f"launch: {e}", file=sys.stderr)
            sys.exit(126)
