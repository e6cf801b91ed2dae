"""The dashboard: each of its queries, asked of a real Prometheus that scraped a loaded daemon with
a Redis, returns figures."""

import contextlib
import json
import math
import re
import subprocess
import threading
import urllib.parse

import pytest

from support import binaries
from support.metrics import get, scrape
from support.redis_server import free_port
from support.store import joined, patient
from support.waiting import eventually

DASHBOARD = json.loads(
    (binaries.REPOSITORY / "config" / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]

POLICIES = """
[policies.api]
limits = ["1000000/365d"]
[policies.few]
limits = ["5/365d"]
"""

SCRAPES = """
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: tollkeeper
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""
RATE_INTERVAL = "30s"


@contextlib.contextmanager
def loading(one):
    """Requests of each kind that the dashboard shows, as long as this lasts."""
    over = threading.Event()

    def load():
        with one.line() as client:
            while not over.is_set():
                client.ask_all(["CHECK api busy"] * 20 + ["CHECK few busy", "COST ADD alice 0.01",
                                                          "COST CHECK alice 1", "COST GET alice"])

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Prometheus:
    """One of the machine's, on a port and in a directory of its own."""

    def __init__(self, place, target):
        self.port = free_port()
        (place / "prometheus.yml").write_text(SCRAPES % target, encoding="utf-8")
        self._log = open(place / "prometheus.log", "wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={place / 'prometheus.yml'}",
             f"--storage.tsdb.path={place / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self._log, stderr=self._log, cwd=place, env=binaries.clean_environment())

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=20)
        self._log.close()

    def ask(self, query):
        """The values of what the query finds now."""
        assert self._process.poll() is None, "prometheus has ended"
        status, body = get(self.port, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        assert status == 200, f"{query}: {body}"
        return [float(series["value"][1]) for series in json.loads(body)["data"]["result"]]

    def has_scraped(self):
        with contextlib.suppress(OSError):
            if get(self.port, "/-/ready")[0] != 200:
                return False
            return self.ask('count_over_time(up{job="tollkeeper"}[1m]) >= 5')
        return False


@pytest.fixture
def prometheus(place):
    with contextlib.ExitStack() as stack:
        def start(target):
            one = Prometheus(place, target)
            stack.callback(one.close)
            return one
        yield start


def as_asked(query):
    """The query with what Grafana puts in for its variables."""
    return query.replace("$__rate_interval", RATE_INTERVAL).replace("$instance", ".*")


@pytest.mark.bound(90)
def test_every_query_returns_figures(daemon, redis, prometheus):
    one = joined(daemon(patient(redis.url(), POLICIES), metrics=True))
    with loading(one):
        asked = prometheus(one.metrics_port())
        eventually(asked.has_scraped, "prometheus has scraped", within=30)
        empty = [f"{title}: {query}" for title, query in QUERIES
                 if not any(map(math.isfinite, asked.ask(as_asked(query))))]
        assert not empty, "\n" + "\n".join(empty)
        busy = asked.ask(as_asked('sum(rate(tollkeeper_checks_total{policy="api"}'
                                  "[$__rate_interval]))"))
    assert busy[0] > 1, "what is asked is what was loaded"


def test_every_query_heeds_the_variables(daemon):
    page = scrape(daemon("", metrics=True).metrics_port()).names()
    assert len(QUERIES) > 50
    shown = set()
    for title, query in QUERIES:
        named = re.findall(r"\b((?:tollkeeper|process)_\w+)(\{[^}]*\})?", query)
        assert named and {name for name, _ in named} <= page, title
        assert all('instance=~"$instance"' in labels for _, labels in named), title
        shown |= {name for name, _ in named}
    assert set(re.findall(r"\$(\w+)", " ".join(query for _, query in QUERIES))) == {
        "__rate_interval", "instance"}
    for family in ("checks", "redis_errors", "charges", "journal", "keys", "loop_stalls"):
        assert any(f"tollkeeper_{family}" in name for name in shown)


def test_panels_have_their_own_numbers_and_places():
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken = set()
    for panel in DASHBOARD["panels"]:
        spot = panel["gridPos"]
        cells = {(x, y) for x in range(spot["x"], spot["x"] + spot["w"])
                 for y in range(spot["y"], spot["y"] + spot["h"])}
        assert spot["x"] + spot["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
