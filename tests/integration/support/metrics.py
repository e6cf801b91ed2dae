"""The metrics page as a scraper sees it: HTTP by hand, and its figures by name and labels."""

import http.client
import re
import subprocess

from support import binaries

SERIES = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="([^"]*)"')


def get(port, path, method="GET"):
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * binaries.patience())
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def page(port):
    status, body = get(port, "/metrics")
    assert status == 200, body
    return body


class Figures:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.series = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SERIES.fullmatch(line).groups()
            key = (name, frozenset(LABEL.findall(labels or "")))
            assert key not in self.series, f"twice: {line}"
            self.series[key] = float(value)

    def __call__(self, metric, **labels):
        """The sum of the series of that name that have these labels."""
        found = [value for (name, own), value in self.series.items()
                 if name == metric and labels.items() <= dict(own).items()]
        assert found, f"no {metric} {labels}"
        return sum(found)

    def names(self):
        return {name for name, _ in self.series}


def scrape(port):
    return Figures(page(port))


def promtool(*words, text=None):
    """The finished process of promtool."""
    return subprocess.run(["promtool", *map(str, words)], input=text, capture_output=True,
                          text=True, check=False, timeout=60 * binaries.patience(),
                          env=binaries.clean_environment())
