# Python's sqlite3: functions of Python's in SQL, transactions, threads, errors, a dump.
import sqlite3
import sys
import threading

db = sqlite3.connect("python.db", isolation_level=None)
db.execute("PRAGMA journal_mode = wal")
db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL, d BLOB)")
db.execute("BEGIN")
db.executemany("INSERT INTO t(b, c, d) VALUES(?, ?, ?)",
               ((f"row {i * 7919 % 10007}", i / 7, bytes([i % 256]) * 3) for i in range(10000)))
db.execute("COMMIT")


class Product:
    def __init__(self):
        self.value = 1

    def step(self, x):
        self.value = self.value * x % 1000003

    def finalize(self):
        return self.value


db.create_function("twice", 1, lambda x: x * 2 if isinstance(x, int) else str(x) * 2)
db.create_aggregate("product", 1, Product)
db.create_collation("backwards", lambda a, b: (a[::-1] > b[::-1]) - (a[::-1] < b[::-1]))
print(db.execute("SELECT count(*), sum(twice(a)), round(avg(c), 6), product(a) FROM t").fetchone())
print(db.execute("SELECT b, hex(d) FROM t ORDER BY b COLLATE backwards LIMIT 3").fetchall())
db.execute("BEGIN")
db.execute("DELETE FROM t WHERE a % 3 = 0")
print(db.total_changes, db.in_transaction)
db.execute("ROLLBACK")
print(db.execute("SELECT count(*) FROM t WHERE a % 3 = 0").fetchone())
for wrong in ("SELECT nothing FROM t", "INSERT INTO t(a) VALUES(1)", "SELECT twice(1, 2)"):
    try:
        db.execute(wrong)
    except sqlite3.Error as error:
        print(type(error).__name__, error)


def reader(n, results):
    with sqlite3.connect("python.db", timeout=60) as own:
        results[n] = own.execute("SELECT sum(a) FROM t WHERE a % 4 = ?", (n,)).fetchone()[0]


def writer(n):
    own = sqlite3.connect("python.db", timeout=60, isolation_level=None)
    for k in range(10):
        own.execute("INSERT INTO t(b) VALUES(?)", (f"thread {n} {k}",))
    own.close()


results = [None] * 4
threads = [threading.Thread(target=reader, args=(n, results)) for n in range(4)]
threads += [threading.Thread(target=writer, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(db.execute("SELECT count(*) FROM t WHERE b LIKE 'thread%'").fetchone())
print(db.execute("PRAGMA integrity_check").fetchone())
ticks = []
db.set_progress_handler(lambda: ticks.append(1) or len(ticks) > 50, 1000)
try:
    db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n").fetchone()
except sqlite3.OperationalError as error:
    print(error)
db.set_progress_handler(None, 0)
copy = sqlite3.connect(":memory:")
db.backup(copy)
print(copy.execute("SELECT count(*) >= 10000 FROM t").fetchone(), sum(1 for _ in copy.iterdump()))
sys.exit(4)
