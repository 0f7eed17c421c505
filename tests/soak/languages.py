"""languages.py PORT SECONDS - asks a server of examples/ for so long and checks every answer.

Four connections ask for /hello without haste, a fifth posts a megabyte to /sum, and at the beginning and at
the end /check must say the same. An answer that takes longer than 100 s is a hang. The last line has the figures.
"""
import hashlib, http.client, os, sys, threading, time

PORT, SECONDS = int(sys.argv[1]), float(sys.argv[2])
HANG = 100
begun = time.monotonic()
failed, counts, longest = [], [0] * 5, [0.0] * 5

def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()

def client(n):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=HANG)
    first, body = None, os.urandom(1000003)
    while time.monotonic() - begun < SECONDS and not failed:
        since = time.monotonic()
        try:
            if n == 4:
                got = ask(connection, "POST", "/sum", body)
                want = (200, hashlib.sha256(body).hexdigest().encode() + b"\n")
            else:
                got = ask(connection, "GET", "/hello")
                want = first = first or got
        except OSError as e:
            failed.append(f"client {n}, request {counts[n]}, after {time.monotonic() - since:.1f} s: {e!r}")
            return
        if got != want or got[0] != 200:
            failed.append(f"client {n}, request {counts[n]}: {got[0]} {got[1][:100]!r}")
            return
        counts[n] += 1
        longest[n] = max(longest[n], time.monotonic() - since)
        time.sleep(1 if n == 4 else 0.02)

def check():
    return ask(http.client.HTTPConnection("127.0.0.1", PORT, timeout=3 * HANG), "GET", "/check")

before = check()
threads = [threading.Thread(target=client, args=(n,)) for n in range(5)]
for t in threads:
    t.start()
for t in threads:
    t.join()
if not failed and check() != before:
    failed.append("/check says something else at the end")
for line in failed:
    print(line)
print(f"{time.monotonic() - begun:.0f} s, {sum(counts[:4])} requests, {counts[4]} MB posted, longest {max(longest):.1f} s")
sys.exit(bool(failed))
