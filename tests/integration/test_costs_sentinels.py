"""A primary that is cut off from its replica and three Sentinels, but not from its daemon, which
charges on: what only it has is forgotten when it has to follow the other, and counted all the same.
"""

import contextlib
import time

import pytest
import redis

from support import costs
from support.costs import stored
from support.proxy import Proxy
from support.redis_server import free_port
from support.sentinels import Sentinels
from support.store import joined
from support.tally import Charging, differences
from support.waiting import eventually

IDS = [f"id{number}" for number in range(20)]

pytestmark = pytest.mark.bound(150)


def role(server):
    try:
        return server.client().info("replication")["role"]
    except (redis.ConnectionError, redis.BusyLoadingError):  # on its way from one to the other
        return None


def test_a_partition_that_sentinels_end_loses_no_charge(daemon, redis_servers, place):
    costs.not_at_its_end(200)
    with contextlib.ExitStack() as stack:
        primary, replica = (redis_servers(tcp=True, repl_diskless_sync_delay=0,
                                          repl_ping_replica_period=1) for _ in range(2))
        # What the replica and the Sentinels know of the primary; the daemon has a way of its own.
        partition = Proxy(("127.0.0.1", free_port()), ("127.0.0.1", primary.port))
        stack.callback(partition.close)
        address = Proxy(place / "a.sock", primary.socket)
        stack.callback(address.close)
        replica.client().replicaof("127.0.0.1", str(partition.path[1]))
        sentinels = Sentinels(partition.path[1])
        stack.callback(sentinels.close)
        eventually(sentinels.know_each_other, "three sentinels know one replica", within=30)
        one = joined(daemon(costs.quick(address.url()), workers=2))
        control = 0
        with Charging(one.socket, IDS, seed=1) as load:
            time.sleep(0.5)
            partition.blackhole()
            other = primary.client()
            while sentinels.primary_port() != replica.port:
                other.incrby("control", 1)
                control += 1
                time.sleep(0.05)
            eventually(lambda: role(replica) == "master", "the replica takes over", within=20)
            address.refuse()
            address.lead_to(replica.socket)
            address.pass_on()
            time.sleep(0.5)
            partition.end_connections()
            partition.pass_on()
            eventually(lambda: role(primary) == "slave", "the old primary follows", within=40)

        def wrong(server):
            return differences(load, lambda id_: stored(server.client(), id_))

        with contextlib.suppress(AssertionError):  # what is wrong says more
            eventually(lambda: not wrong(replica), "all totals are right", within=10)
        assert not wrong(replica)
        eventually(lambda: not wrong(primary), "and where it is copied to", within=10)
        assert load.acknowledged > 100
        assert int(replica.client().get("control") or 0) < control, "others have lost some"
