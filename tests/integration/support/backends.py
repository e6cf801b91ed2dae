"""The shapes a daemon is tested in: loop back-end and number of workers."""

import ctypes
import os

WORKERS = (1, 3)

_IO_URING_SETUP = 425  # the same number on every architecture


def _kernel_has_io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    parameters = ctypes.create_string_buffer(256)
    descriptor = libc.syscall(_IO_URING_SETUP, 4, parameters)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


def backends():
    """TOLLKEEPER_SERVER_BACKEND alone where it is set; else all that this machine can run."""
    chosen = os.environ.get("TOLLKEEPER_SERVER_BACKEND", "auto")
    if chosen != "auto":
        return [chosen]
    return ["io_uring", "epoll"] if _kernel_has_io_uring() else ["epoll"]


def shapes():
    return [{"backend": backend, "workers": workers}
            for backend in backends() for workers in WORKERS]


def shape_name(shape):
    return f"{shape['backend']}-{shape['workers']}"
