import type { EtcdStoreConfig } from './etcd-client.ts';
import { BackwardsWriter, readBigField, readFields } from './etcd-messages.ts';
import { EtcdCallError, EtcdRpc } from './etcd-rpc.ts';

/** A member of an etcd cluster. */
export interface EtcdMember {
  /** Unsigned, 64 bits, in decimal. */
  readonly id: string;
  /** '' until it has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** It follows but does not vote yet. */
  readonly isLearner: boolean;
}

export interface EtcdStatus {
  readonly version: string;
  readonly clusterId: string;
  /** Of the member that answered. */
  readonly memberId: string;
  /** '0': there is none. */
  readonly leaderId: string;
  readonly revision: number;
  readonly dbBytes: number;
  readonly isLearner: boolean;
}

/** What is done to an etcd cluster as a whole. Calls throw EtcdCallError; what may have reached a member is not sent again. */
export interface EtcdCluster {
  members(): Promise<readonly EtcdMember[]>;
  /** A new member that follows first; it votes once it is promoted. Resolves with all members, the new one included. */
  addLearner(peerUrl: string): Promise<readonly EtcdMember[]>;
  /** Fails until the learner has caught up. */
  promote(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  setPeerUrls(id: string, peerUrls: readonly string[]): Promise<void>;
  status(): Promise<EtcdStatus>;
  /** The database as a file; its last 32 bytes are the SHA-256 of what stands before them. */
  snapshot(signal: AbortSignal): AsyncGenerator<Buffer>;
  close(): void;
}

const overhead = 256;
const textBytes = (texts: readonly string[]): number => texts.reduce((sum, t) => sum + Buffer.byteLength(t) + 8, overhead);
const empty = (): Buffer => new BackwardsWriter(overhead).frame();
const withId = (id: string): Buffer => new BackwardsWriter(overhead).bigNumber(1, id).frame();

function readMember(message: Buffer): EtcdMember {
  const urls = { peer: [] as string[], client: [] as string[] };
  let name = '';
  let isLearner = false;
  readFields(message, (field, number, bytes) => {
    if (field === 2) name = bytes.toString();
    else if (field === 3) urls.peer.push(bytes.toString());
    else if (field === 4) urls.client.push(bytes.toString());
    else if (field === 5) isLearner = number !== 0;
  });
  return { id: readBigField(message, 1), name, peerUrls: urls.peer, clientUrls: urls.client, isLearner };
}

/** `field`: where the answer has its members. */
export function readMembers(message: Buffer, field: number): readonly EtcdMember[] {
  const members: EtcdMember[] = [];
  readFields(message, (f, _, bytes) => {
    if (f === field) members.push(readMember(bytes));
  });
  return members;
}

export function readStatus(message: Buffer): EtcdStatus {
  let header: Buffer = Buffer.alloc(0);
  let version = '';
  let dbBytes = 0;
  let isLearner = false;
  readFields(message, (field, number, bytes) => {
    if (field === 1) header = bytes;
    else if (field === 2) version = bytes.toString();
    else if (field === 3) dbBytes = number;
    else if (field === 10) isLearner = number !== 0;
  });
  return {
    version,
    clusterId: readBigField(header, 1),
    memberId: readBigField(header, 2),
    leaderId: readBigField(message, 4),
    revision: Number(readBigField(header, 3)),
    dbBytes,
    isLearner,
  };
}

export const memberListPath = '/etcdserverpb.Cluster/MemberList';
export const encodeMemberList = empty;
/** Where MemberList's answer has its members. */
export const memberListField = 2;

export const statusPath = '/etcdserverpb.Maintenance/Status';
export const encodeStatus = empty;

/** Connects on first use. */
export function createEtcdCluster(config: EtcdStoreConfig): EtcdCluster {
  const rpc = new EtcdRpc(config);
  /** A member that is away is passed over: nothing has happened there. */
  const call = async (path: string, frame: Buffer): Promise<Buffer> => {
    for (let left = config.endpoints.length - 1; ; left--) {
      try {
        return await rpc.unary(path, frame);
      } catch (error) {
        if (!(error instanceof EtcdCallError && error.isNotSent) || left === 0) throw error;
      }
    }
  };
  return {
    members: async () => readMembers(await call(memberListPath, empty()), memberListField),
    addLearner: async (peerUrl) => {
      const request = new BackwardsWriter(textBytes([peerUrl])).number(2, 1).bytes(1, Buffer.from(peerUrl)).frame();
      return readMembers(await call('/etcdserverpb.Cluster/MemberAdd', request), 3);
    },
    promote: async (id) => void (await call('/etcdserverpb.Cluster/MemberPromote', withId(id))),
    remove: async (id) => void (await call('/etcdserverpb.Cluster/MemberRemove', withId(id))),
    setPeerUrls: async (id, peerUrls) => {
      const request = new BackwardsWriter(textBytes(peerUrls));
      for (const url of peerUrls.toReversed()) request.bytes(2, Buffer.from(url));
      await call('/etcdserverpb.Cluster/MemberUpdate', request.bigNumber(1, id).frame());
    },
    status: async () => readStatus(await call(statusPath, encodeStatus())),
    snapshot: async function* (signal) {
      for await (const messages of rpc.stream('/etcdserverpb.Maintenance/Snapshot', empty(), signal)) {
        for (const message of messages) {
          let blob: Buffer | undefined;
          readFields(message, (field, _, bytes) => {
            if (field === 3) blob = bytes;
          });
          if (blob !== undefined) yield blob;
        }
      }
    },
    close: () => rpc.close(),
  };
}
