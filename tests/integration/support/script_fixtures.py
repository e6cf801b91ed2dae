"""What tests of the scripts inside Redis stand on. A file that imports these fixtures has them:

    server   a redis-server of the file's own
    client   of it, which finds it empty
    limits   the limits script, on each of its roads
"""

import time

import pytest

from support.scripts import Limits

# In seconds, or a little more, so that no window of this length ends while tests run.
HOUR = max((3600, 3700), key=lambda length: length - time.time() % length)
DAY = 86_400


@pytest.fixture(scope="module", name="server")
def server_fixture(shared_redis_servers):
    return shared_redis_servers()


@pytest.fixture(name="client")
def client_fixture(server):
    client = server.client()
    client.flushall()
    return client


@pytest.fixture(params=[(True, False), (True, True), (False, True)],
                ids=["redis7", "redis7-quick", "redis6-quick"], name="limits")
def limits_fixture(client, request):
    """With the first line that Redis 7 knows or without it; with quick items or without."""
    return Limits(client, *request.param)
