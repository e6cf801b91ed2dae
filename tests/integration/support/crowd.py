"""Several clients at once: each on a thread and a connection of its own."""

import threading


def crowd(count, work):
    """Runs work(0) … work(count - 1) at the same time; returns their results."""
    results = [None] * count
    errors = []
    ready = threading.Barrier(count)

    def run(index):
        try:
            ready.wait(timeout=20)
            results[index] = work(index)
        except BaseException as error:  # pylint: disable=broad-except; raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "a client never came to its end"
    return results


def send_in_background(client, data):
    """Sends without end in sight while the caller reads; join the thread when all is read."""
    thread = threading.Thread(target=client.send_raw, args=(data,), daemon=True)
    thread.start()
    return thread


def in_background(work):
    """Does it on a thread of its own and lets its errors go; join it when it has to be over."""
    def run():
        try:
            work()
        except Exception:  # pylint: disable=broad-except; the caller looks at what it did
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
