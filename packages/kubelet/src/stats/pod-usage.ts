export interface ContainerUsage {
  readonly memoryBytes: number;
  /** Writable layer and log; undefined: not measured. */
  readonly diskBytes?: number;
  readonly logBytes?: number;
}

/** By kind: writable layers of containers, their logs, and local volumes with the kubelet's own files for the pod. */
export interface DiskParts {
  readonly writable: number;
  readonly logs: number;
  readonly volumes: number;
}

/** What one pod takes of its node. */
export interface PodUsage {
  /** Working set. */
  readonly memoryBytes: number;
  readonly processes: number;
  readonly containers: ReadonlyMap<string, ContainerUsage>;
  /** Bytes; undefined: not measured. */
  readonly disk?: DiskParts;
  readonly inodes?: DiskParts;
  /** Bytes in emptyDir volumes, those in memory included. */
  readonly volumes: ReadonlyMap<string, number>;
}
