/**
 * A client on a thread of its own: sends requests until it is told to stop, then says how long each took (ms) and what it got.
 * Told a number, it begins to count anew, and says when it was answered so often.
 */
import { connect } from 'node:http2';
import { parentPort, workerData } from 'node:worker_threads';

const { port, tls, user, sessions, streams, pauseMs, body } = workerData;
const latencies = [];
const codes = {};
let over = false;
let wanted = Infinity;

function once(session) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const stream = session.request({
      ':method': 'POST',
      ':path': '/api/v1/namespaces/default/configmaps?dryRun=All',
      'content-type': 'application/json',
      'impersonate-user': user,
    });
    let code = 0;
    stream.on('response', (headers) => {
      code = headers[':status'];
    });
    stream.on('error', reject);
    stream.on('end', () => {
      latencies.push(performance.now() - started);
      codes[code] = (codes[code] ?? 0) + 1;
      if (latencies.length === wanted) parentPort.postMessage('served');
      resolve();
    });
    stream.resume();
    stream.end(body);
  });
}

async function run(session) {
  while (!over) {
    await once(session);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

const open = Array.from({ length: sessions }, () => connect(`https://127.0.0.1:${port}`, tls));
const work = open.flatMap((session) => Array.from({ length: streams }, () => run(session)));
parentPort.on('message', (message) => {
  if (typeof message === 'number') {
    latencies.length = 0;
    wanted = message;
    return;
  }
  over = true;
});
await Promise.all(work);
for (const session of open) session.close();
parentPort.postMessage({ latencies, codes });
parentPort.close();
