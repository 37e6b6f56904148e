/** What bench/probe-cost.ts probes, in a process of its own: HTTP and the gRPC health protocol. Tells their ports, and ends with its parent. */
import { createServer } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';

const web = createServer((_request, response) => response.end('ok'));
const grpc = http2.createServer();
grpc.on('stream', (stream) => {
  stream.resume();
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  // HealthCheckResponse { status: SERVING }
  stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
});
process.on('disconnect', () => process.exit(0));
web.listen(0, '127.0.0.1', () => {
  grpc.listen(0, '127.0.0.1', () => {
    process.send?.({ web: (web.address() as AddressInfo).port, grpc: (grpc.address() as AddressInfo).port });
  });
});
