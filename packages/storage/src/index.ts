export * from './contract.ts';
export { createMemoryStore, type MemoryStoreConfig } from './memory-store.ts';
