import http2 from 'node:http2';
import { dialError } from './http-get.ts';

const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** grpc.health.v1.HealthCheckRequest { string service = 1; } */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return Buffer.alloc(0);
  const length: number[] = [];
  for (let rest = name.length; ; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 127) | 128);
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** HealthCheckResponse { ServingStatus status = 1; } */
export function decodeResponse(bytes: Buffer): (typeof statuses)[number] {
  for (let i = 0; i + 1 < bytes.length; )
    if (bytes[i] === 0x08) return statuses[bytes[i + 1] ?? 0] ?? 'UNKNOWN';
    else i += 1;
  return 'UNKNOWN';
}

/** gRPC's codes that mean something of their own here. */
const [deadlineExceeded, unimplemented, unavailable] = [4, 12, 14];
const codeNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];
/** An answer is a few bytes; no server gets room for more. */
const maxAnswerBytes = 4096;

interface Answer {
  readonly code: number;
  readonly details: string;
  readonly message: Buffer;
}

/** What is left of the text where a server has not encoded it well. */
function decodeDetails(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * One call on a connection of its own. By HTTP/2 alone: a gRPC library makes a channel with name resolution, balancing and retries for it,
 * which takes a multiple of the CPU, and there may be thousands of probes.
 */
function callOnce(address: string, path: string, request: Buffer, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://${address}`, { settings: { enablePush: false } });
    const finish = (code: number, details: string, message = Buffer.alloc(0)): void => {
      clearTimeout(timer);
      session.destroy();
      resolve({ code, details, message });
    };
    const timer = setTimeout(() => finish(deadlineExceeded, 'context deadline exceeded'), timeoutMs);
    const fail = (error: Error): void => finish(unavailable, `connection error: desc = "transport: ${dialError(error, address)}"`);
    session.on('error', fail);
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
      'grpc-timeout': `${timeoutMs}m`,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let end: http2.IncomingHttpHeaders = {};
    let httpStatus = 0;
    stream.on('response', (headers) => {
      httpStatus = headers[':status'] ?? 0;
      if (headers['grpc-status'] !== undefined) end = headers;
    });
    stream.on('trailers', (trailers) => {
      end = trailers;
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) finish(8, 'the answer is too large');
      else chunks.push(chunk);
    });
    stream.on('error', fail);
    stream.on('end', () => {
      const code = end['grpc-status'];
      if (code !== undefined) finish(Number(code), decodeDetails(String(end['grpc-message'] ?? '')), Buffer.concat(chunks).subarray(5));
      // As gRPC reads an answer of a server that doesn't speak it.
      else if (httpStatus === 404) finish(unimplemented, `unexpected HTTP status code received from server: ${httpStatus}`);
      else finish(2, `unexpected HTTP status code received from server: ${httpStatus}`);
    });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(request.length, 1);
    stream.end(Buffer.concat([prefix, request]));
  });
}

/** Asks a server by the gRPC health protocol. Resolves with undefined when it serves, else with the reason in upstream's words. */
export async function checkGrpcHealth(address: string, service: string, timeoutMs: number): Promise<string | undefined> {
  const { code, details, message } = await callOnce(address, '/grpc.health.v1.Health/Check', encodeRequest(service), timeoutMs);
  switch (code) {
    case 0: {
      const answer = decodeResponse(message);
      return answer === 'SERVING' ? undefined : `service unhealthy (responded with "${answer}")`;
    }
    case unimplemented:
      return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`;
    case deadlineExceeded:
    case unavailable:
      return `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: ${details}`;
    default:
      return `error: health rpc failed: ${code} ${codeNames[code] ?? 'UNKNOWN'}: ${details}`;
  }
}
