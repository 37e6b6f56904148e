/** Runs inside a host: accepts on a unix socket (they cross network namespaces), reads `address port`, and joins the two. */
import { createConnection, createServer } from 'node:net';

const server = createServer({ allowHalfOpen: true }, (outer) => {
  outer.on('error', () => outer.destroy());
  outer.once('readable', () => {
    const first = outer.read();
    if (first === null) return;
    const end = first.indexOf(10);
    const [address, port] = first.subarray(0, end).toString().split(' ');
    outer.unshift(first.subarray(end + 1));
    const inner = createConnection({ host: address, port: Number(port), allowHalfOpen: true });
    inner.on('error', () => outer.destroy());
    outer.on('error', () => inner.destroy());
    outer.on('close', () => inner.destroy());
    inner.on('close', () => outer.destroy());
    outer.pipe(inner);
    inner.pipe(outer);
  });
});
server.listen(process.argv[2], () => process.stdout.write('listening\n'));
