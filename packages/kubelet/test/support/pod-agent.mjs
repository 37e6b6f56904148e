// Runs in a pod's or host's network namespace: answers on 8080 and makes connections when it is told to by IPC.
import { connect, createServer } from 'node:net';

/** Answers, when the client has finished, with the address that the client came from and how much it sent. */
createServer({ allowHalfOpen: true }, (socket) => {
  let bytes = 0;
  socket.on('data', (chunk) => (bytes += chunk.length));
  socket.on('end', () => socket.end(`${socket.remoteAddress} ${bytes}`));
  socket.on('error', () => undefined);
}).listen(8080, '0.0.0.0', () => process.send({ id: 0 }));

const ask = ({ host, port = 8080, localAddress, bytes = 1, patienceMs = 15_000 }) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, localAddress, allowHalfOpen: true });
    let got = '';
    socket.setTimeout(patienceMs, () => {
      socket.destroy();
      resolve('TIMEOUT');
    });
    socket.on('data', (chunk) => (got += chunk));
    socket.on('end', () => resolve(got));
    socket.on('error', (error) => resolve(error.code));
    socket.end(Buffer.alloc(bytes, 7));
  });

process.on('message', ({ id, options }) => void ask(options).then((result) => process.send({ id, result })));
process.on('disconnect', () => process.exit(0));
