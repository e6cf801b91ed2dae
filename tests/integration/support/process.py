"""What /proc tells about a process that a test started."""

import os
import re


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M).group(1)) * 1024


def cpu_seconds(pid):
    """User and system time of all threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def voluntary_switches(pid):
    """How often each thread went to sleep so far: by thread, its name and the count."""
    switches = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
            text = status.read()
        name = re.search(r"^Name:\s+(.*)$", text, re.M).group(1)
        count = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1)
        switches[thread] = (name, int(count))
    return switches
