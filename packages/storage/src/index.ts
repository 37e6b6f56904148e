export * from './contract.ts';
export type { EtcdStoreConfig } from './etcd-client.ts';
export { createEtcdCluster, type EtcdCluster, type EtcdMember } from './etcd-cluster.ts';
export { readSnapshot, SnapshotError, verifySnapshot, type SnapshotEntry } from './etcd-snapshot.ts';
export { revisionOffsetKey, withRevisionOffset } from './offset-store.ts';
export { createEtcdStore } from './etcd-store.ts';
export { createMemoryStore, type MemoryStoreConfig } from './memory-store.ts';
export type { RedisStoreConfig } from './redis-connection.ts';
export { createRedisStore } from './redis-store.ts';
