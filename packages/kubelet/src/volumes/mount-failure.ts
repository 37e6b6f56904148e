/** What has failed of a volume, in upstream's words. `operation`: such as `MountVolume.MountDevice`. */
export class MountFailure extends Error {
  /** Of the event. */
  readonly reason: 'FailedMount' | 'FailedMapVolume';
  /** `volume`: the name of the PersistentVolume, or of the pod's own volume. */
  constructor(operation: string, volume: string, cause: unknown) {
    super(`${operation} failed for volume "${volume}" : ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.reason = operation.startsWith('MapVolume') ? 'FailedMapVolume' : 'FailedMount';
  }
}
