# 100,000 rows, or $SCALE percent of them, through a script, in a file, with an index, a transaction
# undone, and a check.
{
    echo 'CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); BEGIN;'
    awk -v rows=$((SCALE * 1000)) 'BEGIN { for (i = 0; i < rows; i++)
        printf "INSERT INTO t VALUES(%d, \047row %d\047, %.3f);\n", i, i * 7919 % 100003, i / 7 }'
    cat <<'END'
COMMIT;
CREATE INDEX tb ON t(b);
SELECT count(*), sum(a), max(b), round(avg(c), 6) FROM t;
SELECT a FROM t WHERE b = 'row 500';
SELECT substr(b, 1, 5) AS k, count(*) FROM t GROUP BY k ORDER BY 2 DESC, 1 LIMIT 5;
WITH RECURSIVE f(n, x, y) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, y, x + y FROM f WHERE n < 50)
SELECT max(y) FROM f;
BEGIN; DELETE FROM t WHERE a % 3; SELECT count(*) FROM t; ROLLBACK; SELECT count(*) FROM t;
SELECT printf('%.10f', sqrt(2)), json_extract('{"a": [1, {"b": 2.5}]}', '$.a[1].b');
PRAGMA integrity_check;
SELECT nonsense FROM t;
END
} | sqlite3 data.db 2>&1 | sed 's/near line [0-9]*/near a line/'
echo "${PIPESTATUS[*]}"
sqlite3 -csv data.db 'SELECT * FROM t WHERE a BETWEEN 40 AND 45'
