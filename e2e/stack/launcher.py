"""Runs one program and lets nothing of it outlive its keeper.

The keeper holds the other end of this launcher's standard input. When that
end closes (the keeper stopped us, or died, however hard) or SIGTERM comes, the
program is asked to end, then killed, and every process that it left behind
(a terminal multiplexer, a command in the background) is killed too.

Usage: launcher.py PIDFILE PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

GRACE = 8  # seconds between asking and killing
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(option, value):
    """Set a Linux process attribute; elsewhere do without."""
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (AttributeError, OSError):
        pass


def children():
    """The living and dead processes whose parent we are."""
    try:
        entries = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    mine = []
    for name in entries:
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid():
            mine.append(int(name))
    return mine


def reap():
    """Collect every child that has ended."""
    ended = {}
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    except ChildProcessError:
        pass
    return ended


def sweep():
    """Kill what is left; orphans of what we kill become our children in turn."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and (left := children()):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        time.sleep(0.02)


def main():
    pidfile, command = sys.argv[1], sys.argv[2:]
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    with open(pidfile, "w", encoding="utf-8") as file:
        file.write(str(program.pid))
    kill_at = None
    while True:
        watched = [wake_read] if kill_at else [wake_read, 0]
        wait = max(0, kill_at - time.monotonic()) if kill_at else None
        ready = select.select(watched, [], [], wait)[0]
        if wake_read in ready:
            os.read(wake_read, 4096)
        status = reap().get(program.pid)
        if status is not None:
            sweep()
            return os.waitstatus_to_exitcode(status)
        if kill_at and time.monotonic() >= kill_at:
            os.kill(program.pid, signal.SIGKILL)
        elif not kill_at and (asked or 0 in ready):
            kill_at = time.monotonic() + GRACE
            os.kill(program.pid, signal.SIGCONT)
            os.kill(program.pid, signal.SIGTERM)


if __name__ == "__main__":
    code = main()
    sys.exit(code if code >= 0 else 128 - code)
