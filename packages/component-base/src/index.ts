export * from './certificate-file.ts';
export * from './clock.ts';
export * from './exit-message.ts';
export * from './flags.ts';
export * from './logger.ts';
export * from './signal.ts';
export * from './stack.ts';
export * from './supervise.ts';
