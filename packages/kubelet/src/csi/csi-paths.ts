import { createHash } from 'node:crypto';
import path from 'node:path';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Name of the VolumeAttachment that an attacher's controller makes for a volume on a node. */
export const attachmentName = (o: { volumeHandle: string; driver: string; nodeName: string }): string =>
  `csi-${sha256(`${o.volumeHandle}${o.driver}${o.nodeName}`)}`;

/** The volume handle of an inline volume. */
export const inlineHandle = (podUid: string, volumeName: string): string => `csi-${sha256(`${podUid}${volumeName}`)}`;

/** As `node.status.volumesInUse` and `volumesAttached` name it. */
export const uniqueVolumeName = (driver: string, volumeHandle: string): string => `kubernetes.io/csi/${driver}^${volumeHandle}`;

const pluginDirectory = (root: string): string => path.join(root, 'plugins/kubernetes.io/csi');

/** Folder of all volumes of this node by driver: what is staged, whoever uses it. */
export const stagedDirectory = pluginDirectory;

/** Folder of one volume on this node; upstream's layout. */
export const volumeFolder = (root: string, o: { driver: string; volumeHandle: string }): string =>
  path.join(pluginDirectory(root), o.driver, sha256(o.volumeHandle));
export const globalMount = (folder: string): string => path.join(folder, 'globalmount');

export const blockStaging = (root: string, volumeName: string): string =>
  path.join(pluginDirectory(root), 'volumeDevices/staging', volumeName);
export const blockPublish = (root: string, volumeName: string, podUid: string): string =>
  path.join(pluginDirectory(root), 'volumeDevices/publish', volumeName, podUid);
