export * from './config.ts';
export * from './docker-runtime.ts';
export { findEngineProcess } from './engine-process.ts';
