import path from 'node:path';
import type { ContainerSecurityContext, Image, SeccompProfile } from '@skiff/cri';
import { type ContainerSpec, formatPod, isHostNetwork, type PodSnapshot } from '../pod/pod-snapshot.ts';

export interface SecurityDefaults {
  /** Where localhost seccomp profiles lie. */
  readonly seccompDirectory: string;
  /** RuntimeDefault instead of Unconfined where a pod names no profile. */
  readonly seccompDefault: boolean;
  /** Whether the host's kernel enforces SELinux. */
  readonly seLinuxEnabled: boolean;
}

/** What of a pod's SELinux options is not carried out, for its owner to know; undefined: nothing, or there are none. */
export function ignoredSELinuxOptions(pod: PodSnapshot, o: Pick<SecurityDefaults, 'seLinuxEnabled'>): string | undefined {
  if (o.seLinuxEnabled) return undefined;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const named = containers.filter((c) => c.securityContext?.seLinuxOptions !== undefined).map((c) => c.name);
  if (pod.spec.securityContext?.seLinuxOptions === undefined && named.length === 0) return undefined;
  const whose = pod.spec.securityContext?.seLinuxOptions === undefined ? ` of ${named.join(', ')}` : '';
  return `seLinuxOptions${whose} have no effect: SELinux is not enabled on the host, or can't be seen from the kubelet`;
}

/** A profile that is not named must never become none at all, nor a name lead elsewhere. */
function localSeccompFile(name: string | undefined, o: SecurityDefaults): string {
  if (name === undefined || name === '') throw new Error('localhostProfile must be set if seccompProfile type is Localhost.');
  const file = path.join(o.seccompDirectory, name);
  if (!file.startsWith(`${o.seccompDirectory}/`)) throw new Error(`localhostProfile "${name}" is outside of the node's profiles`);
  return file;
}

export function computeSeccomp(pod: PodSnapshot, c: ContainerSpec | undefined, o: SecurityDefaults): SeccompProfile {
  const profile = c?.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;
  if (c?.securityContext?.privileged === true) return { type: 'Unconfined' };
  switch (profile?.type) {
    case 'RuntimeDefault':
      return { type: 'RuntimeDefault' };
    case 'Localhost':
      return { type: 'Localhost', localhostPath: localSeccompFile(profile.localhostProfile, o) };
    case 'Unconfined':
      return { type: 'Unconfined' };
    default:
      return { type: o.seccompDefault ? 'RuntimeDefault' : 'Unconfined' };
  }
}

function computeAppArmor(pod: PodSnapshot, c: ContainerSpec): string | undefined {
  const profile = c.securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;
  switch (profile?.type) {
    case 'Unconfined':
      return 'unconfined';
    case 'Localhost':
      if (profile.localhostProfile === undefined || profile.localhostProfile === '')
        throw new Error('localhostProfile must be set if AppArmor profile type is Localhost.');
      return profile.localhostProfile;
    case 'RuntimeDefault':
      return 'runtime/default';
    default:
      return undefined;
  }
}

/** Refuses to run as root what must not. Throws with upstream's texts. */
function checkNonRoot(pod: PodSnapshot, c: ContainerSpec, image: Image): void {
  const own = c.securityContext;
  const shared = pod.spec.securityContext;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) !== true) return;
  const user = own?.runAsUser ?? shared?.runAsUser;
  const where = `(pod: "${formatPod(pod)}", container: ${c.name})`;
  if (user !== undefined) {
    if (user === 0) throw new Error(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  if (image.username !== undefined)
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    );
  if ((image.uid ?? 0) === 0) throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
}

/** The container's security context over the pod's, over the image's user. */
export function computeSecurityContext(
  pod: PodSnapshot,
  c: ContainerSpec,
  o: SecurityDefaults & { readonly image: Image; readonly targetContainerId?: string },
): ContainerSecurityContext {
  checkNonRoot(pod, c, o.image);
  const own = c.securityContext;
  const shared = pod.spec.securityContext;
  const runAsGroup = own?.runAsGroup ?? shared?.runAsGroup;
  const runAsUser = own?.runAsUser ?? shared?.runAsUser ?? (runAsGroup === undefined ? undefined : o.image.uid);
  const apparmorProfile = computeAppArmor(pod, c);
  const seLinux = own?.seLinuxOptions ?? shared?.seLinuxOptions;
  const groups = [...(shared?.supplementalGroups ?? []), ...(shared?.fsGroup === undefined ? [] : [shared.fsGroup])];
  return {
    privileged: own?.privileged ?? false,
    addCapabilities: own?.capabilities?.add ?? [],
    dropCapabilities: own?.capabilities?.drop ?? [],
    pid: pod.spec.hostPID === true ? 'node' : pod.spec.shareProcessNamespace === true ? 'pod' : 'container',
    ...(o.targetContainerId === undefined ? {} : { targetContainerId: o.targetContainerId }),
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsUser === undefined && runAsGroup !== undefined && o.image.username !== undefined ? { runAsUsername: o.image.username } : {}),
    ...(runAsGroup === undefined
      ? {}
      : { runAsGroup, ...(runAsUser === undefined && o.image.username === undefined ? { runAsUser: 0 } : {}) }),
    supplementalGroups: groups,
    ...(shared?.supplementalGroupsPolicy === 'Strict' ? { supplementalGroupsPolicy: 'strict' as const } : {}),
    readOnlyRootFilesystem: own?.readOnlyRootFilesystem ?? false,
    noNewPrivileges: own?.allowPrivilegeEscalation === false,
    unmaskedProc: own?.procMount === 'Unmasked',
    seccomp: computeSeccomp(pod, c, o),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(seLinux === undefined ? {} : { seLinux }),
  };
}

export const sandboxNamespaces = (pod: PodSnapshot) =>
  ({
    network: isHostNetwork(pod) ? 'node' : 'pod',
    pid: pod.spec.hostPID === true ? 'node' : pod.spec.shareProcessNamespace === true ? 'pod' : 'container',
    ipc: pod.spec.hostIPC === true ? 'node' : 'pod',
  }) as const;
