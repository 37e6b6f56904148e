// Runs in a pod's network namespace: serves TCP and UDP under the pod's name, and makes connections when it is told to by IPC.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const name = process.argv[2];
const open = new Map();

/** 8080 answers after the client has finished, so that half-closed connections must work: name, client's address, bytes, checksum. */
createServer({ allowHalfOpen: true }, (socket) => {
  let bytes = 0;
  let sum = 0;
  socket.on('data', (chunk) => {
    // Every 997th byte, however the data was cut.
    for (let i = (997 - (bytes % 997)) % 997; i < chunk.length; i += 997) sum = (sum + chunk[i]) % 65521;
    bytes += chunk.length;
  });
  socket.on('end', () => socket.end(`${name} ${socket.remoteAddress} ${bytes} ${sum}`));
  socket.on('error', () => undefined);
}).listen(8080);
/** 8081 sends as many bytes as the client's first line says, and echoes what follows. */
createServer({ allowHalfOpen: true }, (socket) => {
  socket.once('data', (chunk) => {
    const bytes = Number(chunk.toString());
    for (let left = bytes; left > 0; left -= 65_536) socket.write(Buffer.alloc(Math.min(left, 65_536), left % 251));
    socket.on('data', (more) => socket.write(more));
    socket.on('end', () => socket.end());
  });
  socket.on('error', () => undefined);
}).listen(8081);
const udp = createSocket('udp4');
udp.on('message', (message, from) => udp.send(`${name} ${from.address} ${message}`, from.port, from.address));
udp.bind(8082);

const operations = {
  /** Sends, finishes, returns all that comes back. */
  request: ({ host, port, text = 'x', localAddress, patienceMs = 20_000 }) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, allowHalfOpen: true, ...(localAddress === undefined ? {} : { localAddress }) });
      let got = '';
      socket.setTimeout(patienceMs, () => socket.destroy(Object.assign(new Error('timeout'), { code: 'TIMEOUT' })));
      socket.on('data', (chunk) => (got += chunk));
      socket.on('end', () => resolve(got));
      socket.on('error', (error) => resolve(error.code));
      socket.end(text);
    }),
  /** Uploads `bytes` and returns what the other side says of them. */
  upload: ({ host, port, bytes }) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, allowHalfOpen: true });
      const data = Buffer.alloc(bytes);
      for (let i = 0; i < bytes; i += 1) data[i] = (i * 31) % 256;
      let got = '';
      socket.on('data', (chunk) => (got += chunk));
      socket.on('end', () => resolve(got));
      socket.on('error', (error) => resolve(error.code));
      socket.end(data);
    }),
  /** Asks for `bytes` and counts them; `wrong data` unless each block is filled with its own number. */
  download: ({ host, port, bytes, slow }) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, allowHalfOpen: true });
      let got = 0;
      let reads = 0;
      socket.on('data', (chunk) => {
        for (let i = 0; i < chunk.length; i += 61) {
          const left = bytes - Math.floor((got + i) / 65_536) * 65_536;
          if (chunk[i] !== left % 251) return resolve('wrong data');
        }
        got += chunk.length;
        if (slow && ++reads % 8 === 0) {
          socket.pause();
          setTimeout(() => socket.resume(), 2);
        }
        if (got === bytes) socket.end();
      });
      socket.on('end', () => resolve(got));
      socket.on('error', (error) => resolve(error.code));
      socket.write(String(bytes));
    }),
  /** Opens a connection and keeps it. */
  hold: ({ key, host, port }) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, allowHalfOpen: true });
      const state = { socket, got: '', error: undefined };
      open.set(key, state);
      socket.on('data', (chunk) => (state.got += chunk));
      socket.on('error', (error) => {
        state.error = error.code;
        resolve(error.code);
      });
      socket.on('connect', () => resolve('open'));
    }),
  write: ({ key, text }) => {
    open.get(key).socket.write(text);
    return open.get(key).error ?? 'ok';
  },
  finish: ({ key }) =>
    new Promise((resolve) => {
      const { socket, ...state } = open.get(key);
      if (state.error !== undefined) resolve(state.error);
      socket.on('end', () => resolve(open.get(key).got));
      socket.on('error', (error) => resolve(error.code));
      socket.end();
    }),
  /** One datagram and its answer: `from-address:port text`. The socket of a key is kept. */
  datagram: ({ key, host, port, text = 'x', hex = false, patienceMs = 10_000 }) =>
    new Promise((resolve) => {
      const socket = open.get(key)?.socket ?? createSocket('udp4');
      if (key !== undefined) open.set(key, { socket });
      const settle = (value) => {
        clearTimeout(timer);
        socket.removeAllListeners();
        if (key === undefined) socket.close();
        resolve(value);
      };
      const timer = setTimeout(() => settle('no answer'), patienceMs);
      socket.once('message', (message, from) => settle(hex ? message.toString('hex') : `${from.address}:${from.port} ${message}`));
      socket.once('error', (error) => settle(error.code));
      socket.send(hex ? Buffer.from(text, 'hex') : text, port, host);
    }),
};

const perform = async ({ id, operation, options }) => {
  try {
    process.send({ id, result: await operations[operation](options) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
};
process.on('message', (message) => void perform(message));
process.on('disconnect', () => process.exit(0));
process.send({ id: 0, result: 'ready' });
