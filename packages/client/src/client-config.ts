/** How to reach an apiserver and who to be there. Plain data; nothing is read before the first connection. */
export interface ClientConfig {
  /** `https://host:port[/prefix]`, tried in order and kept to while they work. */
  readonly servers: readonly string[];
  /** PEM, or a file with it that is read again for each connection. */
  readonly certificateAuthority?: PemSource;
  readonly clientCertificate?: PemSource;
  readonly clientKey?: PemSource;
  /** Name in the server's certificate, if not the host of its URL. */
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly token?: string;
  /** Read again every minute: service account tokens rotate. Goes before `token`. */
  readonly tokenFile?: string;
  readonly impersonate?: { readonly user: string; readonly uid?: string; readonly groups?: readonly string[] };
  /** `name/version`; what stands before the slash is the manager in managedFields. */
  readonly userAgent?: string;
  /** Namespace of the kubeconfig's context. */
  readonly namespace?: string;
}

export type PemSource = { readonly pem: string } | { readonly file: string };
