/** Images that the stories run; made from this machine's programs, since no registry may be reachable. */
export const testImages = { busybox: 'skiff.test/busybox:1', web1: 'skiff.test/web:1', web2: 'skiff.test/web:2' } as const;

/**
 * Answers `<version> <hostname> <client address>` on 8080 (TCP, HTTP) and the same line on 8081 (UDP). /slow answers after 2 s,
 * /fail makes readiness fail from then on. SIGTERM ends it as a plain server ends: no more accepts, open requests finish.
 */
export const webProgram = `
const http = require('http'), dgram = require('dgram');
const v = process.env.VERSION, host = require('os').hostname();
let healthy = true;
const server = http.createServer((req, res) => {
  const line = v + ' ' + host + ' ' + req.socket.remoteAddress.replace('::ffff:', '') + '\\n';
  if (req.url === '/fail') healthy = false;
  if (req.url === '/healthz') { res.statusCode = healthy ? 200 : 500; return res.end(); }
  if (req.url === '/slow') return setTimeout(() => res.end(line), 2000);
  if (req.url === '/keep') return res.end(line);
  res.setHeader('connection', 'close'); res.end(line);
});
server.listen(8080);
const udp = dgram.createSocket('udp4');
udp.on('message', (m, r) => udp.send(v + ' ' + host + ' ' + r.address, r.port, r.address));
udp.bind(8081);
process.on('SIGTERM', () => { udp.close(); server.close(() => process.exit(0)); });
console.log('serving', v);
`;
