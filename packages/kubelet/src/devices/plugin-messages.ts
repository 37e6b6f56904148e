/** Messages of the device plugin API as they arrive: absent lists are empty. */
export interface PluginOptions {
  readonly preStartRequired: boolean;
  readonly getPreferredAllocationAvailable: boolean;
}
export interface Registration {
  readonly version: string;
  readonly endpoint: string;
  readonly resourceName: string;
  readonly options: PluginOptions | null;
}
export interface PluginDevice {
  readonly ID: string;
  readonly health: string;
}
/** What a container gets besides its own spec. */
export interface DeviceGrant {
  readonly envs: Readonly<Record<string, string>>;
  readonly mounts: readonly { readonly containerPath: string; readonly hostPath: string; readonly readOnly: boolean }[];
  readonly devices: readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly cdiDevices: readonly { readonly name: string }[];
}

/** One plugin, by its socket. */
export interface PluginClient {
  /** Each list of devices as it comes. Ends or throws when the plugin goes away. */
  listAndWatch(signal: AbortSignal): AsyncIterable<readonly PluginDevice[]>;
  allocate(ids: readonly string[]): Promise<DeviceGrant>;
  preferred(o: {
    readonly available: readonly string[];
    readonly mustInclude: readonly string[];
    readonly size: number;
  }): Promise<readonly string[]>;
  preStart(ids: readonly string[]): Promise<void>;
  close(): void;
}
