import type { JsonObject } from '@skiff/apimachinery';

/** Level and version of each record in `recorded.json`. */
export const checkedPolicies = [
  ...[0, 18, 19, 27, 29, 31, 32, 34, 35].map((minor) => `baseline:v1.${minor}`),
  'baseline:latest',
  ...[0, 8, 19, 22, 23, 24, 25, 34, 35].map((minor) => `restricted:v1.${minor}`),
  'restricted:latest',
];

const c = (name: string, more: JsonObject = {}): JsonObject => ({ name, image: 'i', ...more });
const sc = (name: string, securityContext: JsonObject): JsonObject => c(name, { securityContext });
const strict = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
interface FixturePod {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec: JsonObject;
}
const pod = (containers: JsonObject[], more: JsonObject = {}): FixturePod => ({ spec: { containers, ...more } });
const volumes = (...list: JsonObject[]): FixturePod => pod([sc('a', strict)], { volumes: list });
const podContext = (securityContext: JsonObject, ...containers: JsonObject[]): FixturePod =>
  pod(containers.length > 0 ? containers : [c('a')], { securityContext });

/** Pods that break one control or another, and some that break none. */
export const fixturePods: Readonly<Record<string, FixturePod>> = {
  plain: pod([c('a')]),
  'plain, two containers': pod([c('a'), c('b')]),
  'meets restricted': pod([sc('a', strict)]),
  'init containers too': pod([sc('a', strict)], { initContainers: [c('i')] }),
  'settings of the pod': podContext(
    { runAsNonRoot: true, seccompProfile: { type: 'Localhost', localhostProfile: 'p.json' } },
    sc('a', { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }),
  ),
  'host namespaces': pod([c('a')], { hostNetwork: true, hostPID: true, hostIPC: true }),
  'host network': pod([sc('a', strict)], { hostNetwork: true }),
  'host ports': pod([
    c('a', {
      ports: [
        { containerPort: 80, hostPort: 9090 },
        { containerPort: 81, hostPort: 81 },
      ],
    }),
    c('b', { ports: [{ containerPort: 82, hostPort: 8080 }] }),
    c('c', { ports: [{ containerPort: 83 }] }),
  ]),
  'host port': pod([c('a', { ports: [{ containerPort: 80, hostPort: 80 }] })]),
  'host path': volumes({ name: 'v', hostPath: { path: '/x' } }),
  'host paths': volumes({ name: 'v', hostPath: { path: '/x' } }, { name: 'w', hostPath: { path: '/y' } }, { name: 'e', emptyDir: {} }),
  privileged: pod([sc('a', { privileged: true }), sc('b', { privileged: true }), sc('c', { privileged: false })]),
  'capabilities added': pod([
    sc('a', { capabilities: { add: ['SYS_ADMIN', 'CHOWN', 'NET_RAW'] } }),
    sc('b', { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } }),
    sc('c', { capabilities: { add: ['KILL'] } }),
  ]),
  'capabilities dropped by name': pod([sc('a', { ...strict, capabilities: { drop: ['NET_RAW', 'all'] } })]),
  'AppArmor annotations': {
    annotations: {
      'container.apparmor.security.beta.kubernetes.io/a': 'unconfined',
      'container.apparmor.security.beta.kubernetes.io/b': 'localhost/x',
    },
    spec: {
      containers: [
        sc('a', { appArmorProfile: { type: 'Unconfined' } }),
        sc('b', { appArmorProfile: { type: 'Localhost', localhostProfile: 'x' } }),
      ],
    },
  },
  'AppArmor profiles': podContext(
    { appArmorProfile: { type: 'Unconfined' } },
    sc('a', { appArmorProfile: { type: 'Unconfined' } }),
    sc('b', { appArmorProfile: { type: 'RuntimeDefault' } }),
  ),
  'seccomp of the pod': podContext({ seccompProfile: { type: 'Unconfined' } }),
  'seccomp of containers': podContext(
    { seccompProfile: { type: 'RuntimeDefault' } },
    sc('a', { seccompProfile: { type: 'Unconfined' } }),
    sc('b', { seccompProfile: { type: 'Unconfined' } }),
    c('d'),
  ),
  'seccomp of one container': pod([sc('a', { seccompProfile: { type: 'RuntimeDefault' } }), c('b')]),
  'proc mount': pod([sc('a', { ...strict, procMount: 'Unmasked' })], { hostUsers: false }),
  'user namespace': pod([sc('a', { runAsUser: 0 })], { hostUsers: false }),
  'SELinux options': podContext(
    { seLinuxOptions: { type: 'spc_t', user: 'u' } },
    sc('a', { seLinuxOptions: { type: 'container_t', role: 'r' } }),
    sc('b', { seLinuxOptions: { type: 'other_t' } }),
  ),
  'SELinux engine type': podContext({ seLinuxOptions: { type: 'container_engine_t' } }),
  'SELinux level': podContext({ seLinuxOptions: { level: 's0' } }),
  'unsafe sysctls': podContext({
    sysctls: [
      { name: 'net.core.somaxconn', value: '1' },
      { name: 'kernel.shm_rmid_forced', value: '1' },
    ],
  }),
  'sysctls of later versions': podContext({
    sysctls: ['net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_rmem'].map((name) => ({ name, value: '1' })),
  }),
  'host of a probe': pod([
    c('a', { livenessProbe: { httpGet: { host: '10.0.0.1', port: 80 } }, readinessProbe: { tcpSocket: { host: 'b', port: 80 } } }),
    c('b', { lifecycle: { preStop: { httpGet: { host: 'example.com', port: 80 } } } }),
  ]),
  'host of one hook': pod([c('a', { lifecycle: { postStart: { tcpSocket: { host: 'x', port: 80 } } } })]),
  'root by settings': podContext(
    { runAsNonRoot: false, runAsUser: 0 },
    sc('a', { runAsNonRoot: false, runAsUser: 0 }),
    sc('b', { runAsUser: 1 }),
  ),
  'root of one container': podContext({ runAsNonRoot: true }, sc('a', { runAsNonRoot: false }), c('b')),
  'non-root of one container': pod([sc('a', { runAsNonRoot: true }), c('b')]),
  'escalation allowed': pod([sc('a', { ...strict, allowPrivilegeEscalation: true })]),
  'volumes that are allowed': volumes(
    { name: 'a', configMap: { name: 'x' } },
    { name: 'b', csi: { driver: 'x' } },
    { name: 'c', downwardAPI: {} },
    { name: 'd', emptyDir: {} },
    {
      name: 'e',
      ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } } } },
    },
    { name: 'f', persistentVolumeClaim: { claimName: 'x' } },
    { name: 'g', projected: {} },
    { name: 'h', secret: { secretName: 'x' } },
    { name: 'i', image: { reference: 'x' } },
    { name: 'j', emptyDir: {} },
  ),
  'volumes that are not': volumes(
    { name: 'a', nfs: { server: 's', path: '/' } },
    { name: 'b', iscsi: { targetPortal: 'p', iqn: 'iqn.2001-04.com.example:storage', lun: 0 } },
    { name: 'c', fc: { wwids: ['x'] } },
    { name: 'd', nfs: { server: 's', path: '/' } },
  ),
  'a pod for Windows': pod([c('a')], { os: { name: 'windows' }, securityContext: { runAsNonRoot: true } }),
  'host process': pod([sc('a', { windowsOptions: { hostProcess: true } })], {
    os: { name: 'windows' },
    hostNetwork: true,
    securityContext: { windowsOptions: { hostProcess: true } },
  }),
};
