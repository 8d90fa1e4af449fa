"""Asks a web server on loopback: client.py PORT REQUESTS CONNECTIONS PATH...

The paths take turns; PATH+gzip asks for the packed form. Prints what came back: for each path how
often which status, and a digest of the body.
"""

import gzip
import hashlib
import socket
import sys
import threading
import time
from collections import Counter

port, requests, connections = map(int, sys.argv[1:4])
paths = sys.argv[4:]
found = Counter()
lock = threading.Lock()


def connect():
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("nobody listens")


def body(stream, headers):
    if headers.get("transfer-encoding") != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    whole = b""
    while True:
        size = int(stream.readline(), 16)
        whole += stream.read(size)
        stream.readline()
        if not size:
            return whole


def ask(sock, stream, path):
    path, packed, _ = path.partition("+gzip")
    extra = "Accept-Encoding: gzip\r\n" if packed else ""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n{extra}\r\n".encode())
    status = stream.readline().split()[1].decode()
    headers = {}
    for line in iter(stream.readline, b"\r\n"):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    data = body(stream, headers)
    if headers.get("content-encoding") == "gzip":
        data = gzip.decompress(data)
    return path + packed, status, hashlib.sha256(data).hexdigest()[:16] if status < "400" else "-"


def work(first):
    mine = Counter()
    with connect() as sock, sock.makefile("rb") as stream:
        for n in range(first, requests, connections):
            mine[ask(sock, stream, paths[n % len(paths)])] += 1
    with lock:
        found.update(mine)


threads = [threading.Thread(target=work, args=(k,)) for k in range(connections)]
for t in threads:
    t.start()
for t in threads:
    t.join()
for what, count in sorted(found.items()):
    print(count, *what)
