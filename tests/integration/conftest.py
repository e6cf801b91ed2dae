"""The fixtures: `daemon` starts the real binary; `shape` and `backend` repeat a test over loops.

    def test_a_refusal_is_free(daemon, shape):
        client = daemon(ONCE, **shape).line()
        assert client.ask("CHECK once alice").allowed

Every test is bounded in time: 30 seconds, or what @pytest.mark.bound(seconds) says.
"""

import os
import pathlib
import signal
import tempfile

import pytest

from support import binaries
from support.backends import backends, shape_name, shapes
from support.daemon import Daemon
from support.proxy import Proxy
from support.redis_server import RedisServer
from support.scripted_redis import ScriptedRedis

BOUND_SECONDS = 30

IS_ROOT = os.geteuid() == 0


def pytest_configure(config):
    config.addinivalue_line("markers", "bound(seconds): the most this test may take")
    config.addinivalue_line("markers", "becomes_another_user: only root can run this test")


def pytest_collection_modifyitems(config, items):
    if IS_ROOT:
        return
    left_out = [item for item in items if item.get_closest_marker("becomes_another_user")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_report_header():
    users = "as root" if IS_ROOT else "not as root: no test becomes another user"
    return [f"tollkeeperd: {binaries.TOLLKEEPERD}", f"backends: {', '.join(backends())}", users]


@pytest.fixture(autouse=True)
def bounded(request):
    marker = request.node.get_closest_marker("bound")
    seconds = (marker.args[0] if marker else BOUND_SECONDS) * binaries.patience()

    def out_of_time(*_):
        raise TimeoutError(f"the test took more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def _factory():
    started = []

    def start(config="", *, launch_only=False, **options):
        options.setdefault("backend", backends()[0])
        one = Daemon(config, **options)
        started.append(one)
        return one.launch() if launch_only else one.start()

    try:
        yield start
        for one in reversed(started):
            one.finish()
    finally:
        for one in started:
            one.cleanup()


@pytest.fixture
def daemon():
    """Starts daemons; at the end each that still runs must end in order, without a report."""
    yield from _factory()


@pytest.fixture(scope="module")
def shared_daemon():
    """The same for a whole file: for tests that leave nothing behind."""
    yield from _factory()


@pytest.fixture
def place():
    """An empty directory with a path short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="toll-") as name:
        yield pathlib.Path(name)


def _redis_factory():
    started = []

    def start(**options):
        one = RedisServer(**options)
        started.append(one)
        return one.start()

    try:
        yield start
    finally:
        for one in started:
            one.cleanup()


@pytest.fixture
def redis_servers():
    """Starts Redis servers, each of them empty."""
    yield from _redis_factory()


@pytest.fixture(scope="module")
def shared_redis_servers():
    """The same for a whole file."""
    yield from _redis_factory()


@pytest.fixture(name="redis")
def _redis(redis_servers):
    """A Redis of this test's own."""
    return redis_servers()


@pytest.fixture
def proxy(redis, place):
    """Between a daemon and `redis`."""
    one = Proxy(place / "p.sock", redis.socket)
    yield one
    one.close()


@pytest.fixture
def scripted(redis, place):
    """In front of `redis`, to answer in its place."""
    one = ScriptedRedis(place / "s.sock", redis.socket)
    yield one
    one.close()


@pytest.fixture(params=shapes(), ids=shape_name)
def shape(request):
    return request.param


@pytest.fixture(params=backends())
def backend(request):
    return request.param
