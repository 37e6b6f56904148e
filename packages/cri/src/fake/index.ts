export * from './fake-runtime.ts';
export * from './program.ts';
