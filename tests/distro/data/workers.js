// Promises, timers, buffers, a file, a socket, a child, and worker threads that share memory.
const assert = require('assert');
const crypto = require('crypto');
const { execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function work(n) {
  let s = 1;
  for (let i = 0; i < 500000 * n; i++) s = (Math.imul(s, 31) + i) | 0;
  return s;
}

if (!isMainThread) {
  const shared = new Int32Array(workerData.shared);
  for (let i = 0; i < 10000; i++) Atomics.add(shared, 0, 1);
  if (workerData.n === 3) throw new Error('as intended');
  parentPort.postMessage(work(workerData.n));
} else {
  const shared = new SharedArrayBuffer(4);
  const start = (n) => new Promise((resolve, reject) => {
    const w = new Worker(__filename, { workerData: { n, shared } });
    w.on('message', resolve);
    w.on('error', reject);
  });
  const echo = () => new Promise((resolve) => {
    const server = net.createServer((c) => c.pipe(c)).listen(0, '127.0.0.1', () => {
      const c = net.connect(server.address().port, '127.0.0.1', () => c.end('x'.repeat(100000)));
      let size = 0;
      c.on('data', (d) => { size += d.length; });
      c.on('end', () => { server.close(); resolve(size); });
    });
  });
  (async () => {
    const numbers = process.env.SCALE < 100 ? [1, 3] : [1, 2, 3, 4];
    const results = await Promise.allSettled(numbers.map(start));
    console.log(results.map((r) => r.status === 'fulfilled' ? r.value : r.reason.message));
    console.log('counted', new Int32Array(shared)[0]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log('echoed', await echo());
    console.log(crypto.createHash('sha256').update('abc').digest('hex'));
    const packed = zlib.gzipSync(Buffer.alloc(100000, 'text '));
    console.log(zlib.gunzipSync(packed).length, execFileSync('echo', ['child']).toString().trim());
    console.log(fs.readFileSync(__filename, 'utf8').split('\n').length, 0.1 + 0.2, 2n ** 100n);
    console.log(process.arch, [3, 1, 2].sort(), /(\d+)-(?<x>\w)/u.exec('12-z').groups.x);
    assert.throws(() => null.x, TypeError);
    await Promise.reject(new Error('last')).catch((e) => console.log(e.message));
    process.exitCode = 9;
  })();
}
