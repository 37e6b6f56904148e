export * from './client-config.ts';
export * from './contract.ts';
export * from './create-client.ts';
export * from './kubeconfig.ts';
export type { HttpRequest, HttpResponse } from './http2-connection.ts';
export type { Middleware, Send } from './transport.ts';
export { resourcePath } from './resource-path.ts';
