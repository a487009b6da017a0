"""Apache's Python client, framed, in threads: as baseplate.py's pool does, each asks isOpen() before a call, and connects anew when it is not.

upgrade_clients.py PORT PAUSE_MS CONNECTIONS GENERATED_FOLDER; prints a JSON object when its stdin ends.
"""
import json
import random
import sys
import threading
import time

sys.path.insert(0, sys.argv[4])
from bench import Bench
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport, TTransportException

port, pause_ms, connections = (int(each) for each in sys.argv[1:4])
over = threading.Event()
lock = threading.Lock()
count = {"answered": 0, "lost": []}


def loop():
    transport = client = None
    answered_at = time.monotonic()
    while not over.is_set():
        if transport is None or not transport.isOpen():
            if transport is not None:
                transport.close()
            transport = TFramedTransport(TSocket("127.0.0.1", port))
            transport.open()
            client = Bench.Client(TBinaryProtocolAccelerated(transport))
        paused_ms = (time.monotonic() - answered_at) * 1000
        try:
            client.add_later(1, 2, 1)
            with lock:
                count["answered"] += 1
        except (TTransportException, OSError):
            with lock:
                count["lost"].append(paused_ms)
            transport.close()
            transport = None
        answered_at = time.monotonic()
        if pause_ms > 0:
            time.sleep((pause_ms + random.random()) / 1000)


threads = [threading.Thread(target=loop) for _ in range(connections)]
for thread in threads:
    thread.start()
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
print(json.dumps(count))
