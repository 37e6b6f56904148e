import type { ServiceError } from '@grpc/grpc-js';

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

/** Asks a server by the gRPC health protocol. Resolves with undefined when it serves, else with the reason in upstream's words. */
export async function checkGrpcHealth(address: string, service: string, timeoutMs: number): Promise<string | undefined> {
  const { Client, credentials, Metadata, status } = await import('@grpc/grpc-js');
  return new Promise((resolve) => {
    const client = new Client(address, credentials.createInsecure(), { 'grpc.primary_user_agent': 'kube-probe/1.36' });
    const finish = (failure: string | undefined): void => {
      client.close();
      resolve(failure);
    };
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      encodeRequest,
      decodeResponse,
      service,
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, answer?: (typeof statuses)[number]) => {
        if (error === null) return finish(answer === 'SERVING' ? undefined : `service unhealthy (responded with "${answer ?? 'UNKNOWN'}")`);
        switch (error.code) {
          case status.UNIMPLEMENTED:
            return finish(`error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${error.details}`);
          case status.DEADLINE_EXCEEDED:
          case status.UNAVAILABLE:
            return finish(`timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: ${error.details}`);
          default:
            return finish(`error: health rpc failed: ${error.message}`);
        }
      },
    );
  });
}
