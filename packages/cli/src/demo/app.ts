/**
 * The demo's programs, as text that goes into images made on the spot. Plain CommonJS for the node binary of this host.
 * Three tiers: `web` greets and asks `counter`, which keeps its number in Redis.
 */

/** GET / → a line with version, pod and the visits so far. SIGTERM: stops accepting, finishes what is open, ends. */
export const webProgram = `
const http = require('http');
const version = process.env.VERSION || '1';
const agent = new http.Agent({ keepAlive: true });
const ask = () => new Promise((resolve) => {
  const req = http.get({ host: 'counter', port: 8080, agent, timeout: 2000 }, (res) => {
    let text = ''; res.on('data', (d) => text += d); res.on('end', () => resolve(text.trim()));
  });
  req.on('error', () => resolve('?')); req.on('timeout', () => req.destroy());
});
const server = http.createServer(async (req, res) => {
  if (req.url === '/healthz') return res.end('ok');
  const visits = req.url === '/count' ? await ask() : '';
  res.setHeader('connection', 'close');
  res.end('web v' + version + ' on ' + process.env.HOSTNAME + (visits ? ', visit ' + visits : '') + '\\n');
});
server.listen(8080);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`;

/** GET / → increments the counter in Redis and answers with it. Speaks RESP by hand: no packages in the image. */
export const counterProgram = `
const http = require('http'), net = require('net');
const waiting = []; let socket;
function connect() {
  const s = net.connect(6379, 'redis'); let text = '';
  s.on('connect', () => { socket = s; });
  s.on('data', (d) => { text += d; let at; while ((at = text.indexOf('\\r\\n')) >= 0) { const w = waiting.shift(); if (w) w(text.slice(1, at)); text = text.slice(at + 2); } });
  s.on('error', () => {});
  s.on('close', () => { socket = undefined; while (waiting.length) waiting.shift()(undefined); setTimeout(connect, 200); });
}
connect();
http.createServer((req, res) => {
  if (req.url === '/healthz') { res.statusCode = socket ? 200 : 503; return res.end(); }
  if (!socket) { res.statusCode = 503; return res.end('redis is away'); }
  waiting.push((value) => { if (value === undefined) res.statusCode = 503; res.end((value || 'redis is away') + '\\n'); });
  socket.write('INCR visits\\r\\n');
}).listen(8080);
process.on('SIGTERM', () => process.exit(0));
`;
