export * from './container.ts';
export * from './contract.ts';
export * from './image.ts';
export * from './runtime-error.ts';
export * from './sandbox.ts';
export * from './streams.ts';
