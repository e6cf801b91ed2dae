"""A disk that can be filled."""

import contextlib
import os
import subprocess


class SmallDisk:
    """A file system of 20 MB for one daemon; or, also where we may not mount, a bound on files."""

    def __init__(self, place, mounts):
        self.path = place / "disk"
        self.path.mkdir()
        self.mounted = mounts and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=20m", "toll", str(self.path)],
            capture_output=True, check=False).returncode == 0

    def fill(self, one):
        if not self.mounted:
            return self._bound_files(one, 4096)
        with open(self.path / "filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while filler.write(bytes(1 << 14)):
                    pass
        return None

    def make_room(self, one):
        if not self.mounted:
            return self._bound_files(one, "unlimited")
        return os.unlink(self.path / "filler")

    @staticmethod
    def _bound_files(one, size):
        subprocess.run(["prlimit", f"--pid={one.pid}", f"--fsize={size}:unlimited"], check=True)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)
