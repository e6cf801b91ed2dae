"""The words of the tests with a Redis behind the daemon."""

import time

from support.waiting import eventually

# Bounds that a busy machine does not reach: for tests of what is answered, not of when.
PATIENT = {"call_timeout": "5s", "dial_timeout": "5s"}
PATIENT_DEFAULTS = '[defaults]\ndeadline = "10s"\n'
PATIENT_BREAKER = "[redis.breaker]\nslow_call = \"5s\"\n"

NODES_KEY = b"tollkeeper:nodes"


def _literal(value):
    return str(value) if isinstance(value, int) else f'"{value}"'


def table(url, **keys):
    """A [redis] table."""
    lines = [f"{key} = {_literal(value)}" for key, value in {"url": url, **keys}.items()]
    return "[redis]\n" + "\n".join(lines) + "\n"


def patient(url, policies, **keys):
    """A whole configuration whose bounds in time play no part."""
    return table(url, **{**PATIENT, **keys}) + PATIENT_BREAKER + PATIENT_DEFAULTS + policies


def health(client):
    """What HEALTH says, by name; `state` is its first word."""
    words = client.ask("HEALTH").line.split()
    return {"state": words[1], **dict(word.split("=", 1) for word in words[2:])}


def statistics(client):
    return {row[0]: row[1] for row in client.ask("STATS").rows}


def joined(one, hosts=None, within=5.0):
    """Waits until all workers of that daemon have their Redis, and know of `hosts` alive."""
    def there():
        now = health(client)
        return now["redis"] == "up" and (hosts is None or now["hosts"] == str(hosts))

    with one.line() as client:
        eventually(there, f"redis=up of {hosts or 'any'} hosts", within)
    return one


def gone(one, within=5.0):
    """Waits until that daemon has noticed that its Redis is away."""
    with one.line() as client:
        eventually(lambda: health(client)["redis"] != "up", "redis is not up", within)
    return one


def hears(server, daemons=1):
    """Waits until so many daemons hear each other's news."""
    client = server.client()
    eventually(lambda: client.pubsub_numsub("tollkeeper:news")[0][1] == daemons, "they hear")
    time.sleep(0.05)  # the confirmation travels; nothing on our side shows its arrival


def counts(client):
    """What Redis holds for limits: by key its bytes as dumped and when it ends."""
    return {key: (client.dump(key), client.execute_command("PEXPIRETIME", key))
            for key in client.keys("*") if not key.endswith(NODES_KEY)}


def script_calls(client):
    """How many EVALSHA Redis has done, heartbeats included."""
    return client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)


def again_by_redis(client, request, within=2.0):
    """Asks until Redis answers, within what is promised after its return; the time it took."""
    began = time.monotonic()
    eventually(lambda: client.ask(request).source == "redis", f"{request} by redis", within)
    return time.monotonic() - began
