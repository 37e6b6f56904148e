export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** What containers of it report as their imageID. */
  readonly imageId: string;
  /** The user the image's processes run as: a number, or a name when it is not numeric; absent: root. */
  readonly uid?: number;
  readonly username?: string;
  /** Directories that the image declares as volumes. */
  readonly volumes: readonly string[];
}

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  readonly serverAddress: string;
  readonly identityToken?: string;
}

export interface FilesystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** Images of the runtime. Names are Docker's: `busybox`, `host:5000/a/b:tag`, `a@sha256:…`, or an ID. */
export interface ImageService {
  listImages(): Promise<readonly Image[]>;
  /** undefined when the runtime doesn't have it. */
  imageStatus(name: string): Promise<Image | undefined>;
  /**
   * Fetches an image and resolves with it. Throws RuntimeError of an image kind, or `timeout` when no progress was made for the
   * runtime's deadline. Aborting `signal` gives up waiting. `from`: the name under which another registry has it; the image is known
   * by `name` afterwards, unless that holds a digest, which is the same under both. Throws `invalid` where the runtime has mirrors of its own.
   */
  pullImage(name: string, credentials: RegistryCredentials | undefined, signal: AbortSignal, from?: string): Promise<Image>;
  /** Removes all names of the image and the image. Not an error when it is gone; `conflict` while a container uses it. */
  removeImage(id: string): Promise<void>;
  imageFilesystem(): Promise<FilesystemUsage>;
  /** Unpacks the root filesystem of an image into an existing, empty directory, with owners and modes. Throws `not-found`. */
  extractImage(id: string, directory: string, signal: AbortSignal): Promise<void>;
}
