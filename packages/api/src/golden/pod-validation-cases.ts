import type { GoldenCase } from './case.ts';
import { podCase } from './pod-default-cases.ts';
import { podVolumeCases, withContainer } from './pod-volume-cases.ts';

const containerCases: readonly GoldenCase[] = [
  podCase('no containers', { containers: [] }),
  podCase('container names and images', {
    containers: [{ name: 'A', image: '' }, { name: 'c', image: ' x' }, { name: 'c', image: 'x' }, { image: 'x' }],
    initContainers: [
      { name: 'c', image: 'x ' },
      { name: 'i', image: 'x' },
      { name: 'i', image: 'x' },
    ],
  }),
  withContainer('ports', {
    ports: [
      { containerPort: 0 },
      { containerPort: 70000, hostPort: -1, name: 'toolongtoolongtoolong', protocol: 'X' },
      { containerPort: 80, name: 'a--b' },
      { containerPort: 80, name: 'a' },
      { containerPort: 81, name: 'a' },
      { containerPort: 80, hostPort: 80 },
      { containerPort: 81, hostPort: 80 },
    ],
  }),
  withContainer('env', {
    env: [
      { name: '' },
      { name: 'a=b' },
      { name: 'a', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'b', valueFrom: {} },
      { name: 'c', valueFrom: { configMapKeyRef: { name: 'A', key: 'a b' }, secretKeyRef: { name: 's', key: '' } } },
      { name: 'd', valueFrom: { fieldRef: { fieldPath: 'metadata.labels' } } },
      { name: 'e', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '3' } } },
      { name: 'f', valueFrom: { fileKeyRef: { volumeName: 'nope', path: '../x', key: '' } } },
    ],
    envFrom: [{}, { prefix: 'a=', configMapRef: { name: '' }, secretRef: { name: 'A' } }],
  }),
  withContainer('probes', {
    livenessProbe: {
      httpGet: { port: 0, scheme: 'FTP', httpHeaders: [{ name: 'a b', value: '' }] },
      successThreshold: 2,
      periodSeconds: -1,
    },
    readinessProbe: { exec: { command: [] }, tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 0 },
    startupProbe: { failureThreshold: -1 },
    lifecycle: { postStart: { tcpSocket: { port: 'A' } }, preStop: { sleep: { seconds: 100 } } },
  }),
  withContainer('grpc and ports by name', {
    livenessProbe: { grpc: { port: 0 } },
    readinessProbe: { httpGet: { port: 'way-too-long-port-name' } },
  }),
  withContainer('policies', { imagePullPolicy: 'Foo', terminationMessagePolicy: 'Bar' }),
  withContainer('negative limit', {
    resources: { limits: { cpu: '-1' }, requests: { cpu: '2' }, claims: [{ name: 'x' }, { name: '' }, { name: 'x' }] },
  }),
  withContainer('more devices than the limit', { resources: { limits: { 'example.com/gpu': '1' }, requests: { 'example.com/gpu': '2' } } }),
  withContainer('an unknown resource', { resources: { requests: { foo: '1' } } }),
  withContainer('a bad name of a resource', { resources: { requests: { 'a b': '1' } } }),
  withContainer('part of a huge page', { resources: { requests: { cpu: '1' }, limits: { 'hugepages-2Mi': '3Mi' } } }),
  withContainer('a fraction of a device', { resources: { limits: { 'example.com/gpu': '1500m' } } }),
  withContainer('huge pages alone', { resources: { limits: { 'hugepages-2Mi': '4Mi' } } }),
  withContainer(
    'resize policy',
    {
      resizePolicy: [
        { resourceName: 'cpu', restartPolicy: 'Foo' },
        { resourceName: 'cpu', restartPolicy: 'RestartContainer' },
        { resourceName: 'x', restartPolicy: 'NotRequired' },
      ],
    },
    { restartPolicy: 'Never' },
  ),
  withContainer('restart policy of a container', {
    restartPolicy: 'Sometimes',
    restartPolicyRules: [{ action: 'Explode', exitCodes: { operator: 'Is', values: [1] } }, { action: 'Restart' }],
  }),
  withContainer('restart rules without policy', {
    restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [1] } }],
  }),
  podCase('init containers', {
    initContainers: [
      {
        name: 'a',
        image: 'x',
        livenessProbe: { tcpSocket: { port: 1 } },
        lifecycle: {},
        resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }],
      },
      {
        name: 'b',
        image: 'x',
        restartPolicy: 'Always',
        startupProbe: { tcpSocket: { port: 0 } },
        ports: [
          { containerPort: 1, hostPort: 1 },
          { containerPort: 2, hostPort: 1 },
        ],
      },
    ],
  }),
  podCase('ephemeral containers at creation', {
    ephemeralContainers: [{ name: 'e', image: 'x', ports: [{ containerPort: 1 }], targetContainerName: 'nope' }],
  }),
  withContainer('security context', {
    securityContext: {
      runAsUser: -1,
      runAsGroup: 3000000000,
      procMount: 'Unmasked',
      allowPrivilegeEscalation: false,
      privileged: true,
      capabilities: { add: ['CAP_SYS_ADMIN'] },
      seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'x' },
      appArmorProfile: { type: 'Localhost', localhostProfile: ' x' },
      windowsOptions: { gmsaCredentialSpecName: 'A', gmsaCredentialSpec: '', runAsUserName: 'a\\b\\c' },
    },
  }),
  withContainer('more of the security context', {
    securityContext: {
      procMount: 'Foo',
      seccompProfile: { type: 'Localhost' },
      appArmorProfile: { type: 'Foo' },
      windowsOptions: { runAsUserName: '.' },
    },
  }),
];

const specCases: readonly GoldenCase[] = [
  podCase('pod security context', {
    hostPID: true,
    shareProcessNamespace: true,
    hostNetwork: true,
    securityContext: {
      fsGroup: -1,
      supplementalGroups: [-1],
      fsGroupChangePolicy: 'Foo',
      supplementalGroupsPolicy: 'Foo',
      seLinuxChangePolicy: 'Foo',
      sysctls: [
        { name: '', value: '' },
        { name: 'A', value: '' },
        { name: 'kernel.shm', value: '' },
        { name: 'kernel.shm', value: '' },
        { name: 'net/ipv4/x', value: '' },
      ],
      seccompProfile: { type: '' },
      appArmorProfile: { type: 'Unconfined', localhostProfile: 'x' },
    },
  }),
  podCase('policies of the pod', { restartPolicy: 'Foo', dnsPolicy: 'Bar', preemptionPolicy: 'Baz' }),
  podCase('DNS', {
    dnsConfig: {
      nameservers: ['1.2.3.4', '010.0.0.1', 'x', '::ffff:1.2.3.4'],
      searches: ['a_b.c.', '.', '-'],
      options: [{ name: '' }],
    },
  }),
  podCase('DNS policy None', { dnsPolicy: 'None' }),
  podCase('DNS policy None without servers', { dnsPolicy: 'None', dnsConfig: {} }),
  podCase('names', {
    serviceAccountName: 'A',
    nodeName: 'B_',
    hostname: 'a.b',
    subdomain: 'C',
    priorityClassName: 'D',
    runtimeClassName: 'E',
    activeDeadlineSeconds: 0,
    nodeSelector: { 'a b': 'c d' },
    imagePullSecrets: [{ name: 'x' }],
    hostAliases: [{ ip: 'x', hostnames: ['A'] }],
    readinessGates: [{ conditionType: 'a b' }],
    schedulingGates: [{ name: 'a b' }, { name: 'x' }, { name: 'x' }],
  }),
  podCase('a node for a gated pod', { nodeName: 'n', schedulingGates: [{ name: 'x' }] }),
  podCase('hostname override', { hostnameOverride: 'A', setHostnameAsFQDN: true, hostNetwork: true }),
  podCase('tolerations', {
    tolerations: [
      { operator: 'Equal' },
      { key: 'a b', operator: 'Exists', value: 'x' },
      { key: 'a', operator: 'Foo' },
      { key: 'a', value: 'a b', effect: 'Foo' },
      { key: 'a', tolerationSeconds: 1 },
      { key: 'a', operator: 'Gt', value: '1' },
    ],
  }),
  podCase('node affinity', {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'a', operator: 'In' },
                { key: 'a', operator: 'Exists', values: ['x'] },
                { key: 'a', operator: 'Gt', values: ['1', '2'] },
                { key: 'a b', operator: 'Like', values: ['x y'] },
              ],
              matchFields: [
                { key: 'spec.x', operator: 'Exists' },
                { key: 'metadata.name', operator: 'In', values: ['A'] },
                { key: 'metadata.name', operator: 'In' },
              ],
            },
          ],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 0, preference: { matchExpressions: [{ key: '', operator: 'Exists' }] } },
        ],
      },
    },
  }),
  podCase('node affinity without terms', {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
  }),
  podCase(
    'pod affinity',
    {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: '', namespaces: ['A'], labelSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
            { topologyKey: 'z', matchLabelKeys: ['a'] },
            { topologyKey: 'z', matchLabelKeys: ['a', 'b'], mismatchLabelKeys: ['a'], labelSelector: { matchLabels: { a: 'x' } } },
          ],
        },
        podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, podAffinityTerm: { topologyKey: 'a b' } }] },
      },
    },
    { labels: { a: 'x' } },
  ),
  podCase('topology spread', {
    topologySpreadConstraints: [
      {
        maxSkew: 0,
        topologyKey: '',
        whenUnsatisfiable: 'Foo',
        minDomains: 0,
        nodeAffinityPolicy: 'X',
        nodeTaintsPolicy: 'Y',
        matchLabelKeys: ['a'],
      },
      { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { 'a b': 'c' } }, minDomains: 2 },
      { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: {} },
    ],
  }),
  podCase('host ports with host network', {
    hostNetwork: true,
    containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 80, hostPort: 81 }] }],
  }),
  podCase('user namespace', { hostUsers: false, hostPID: true, hostIPC: true, hostNetwork: true }),
  podCase('overhead', { overhead: { cpu: '-1' } }),
  podCase('resources of the pod', {
    resources: { limits: { cpu: '1', foo: '1' }, requests: { cpu: '2', 'ephemeral-storage': '1' } },
    containers: [{ name: 'c', image: 'x', resources: { limits: { cpu: '2' }, requests: { cpu: '3' } } }],
  }),
  podCase('windows', {
    os: { name: 'windows' },
    hostPID: true,
    hostUsers: true,
    securityContext: { runAsUser: 1, seLinuxOptions: {} },
    containers: [{ name: 'c', image: 'x', securityContext: { privileged: false, capabilities: {} } }],
  }),
  podCase('linux', { os: { name: 'linux' }, securityContext: { windowsOptions: {} } }),
  podCase('another os', { os: { name: 'plan9' } }),
  podCase('host process', {
    securityContext: { windowsOptions: { hostProcess: true } },
    containers: [
      { name: 'c', image: 'x', securityContext: { windowsOptions: { hostProcess: false } } },
      { name: 'd', image: 'x' },
    ],
  }),
  podCase('resource claims', {
    resourceClaims: [
      { name: 'a' },
      { name: 'a', resourceClaimName: 'A' },
      { name: '', resourceClaimName: 'x', resourceClaimTemplateName: 'y' },
    ],
  }),
  podCase('a token without an account', { volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }),
  podCase(
    'annotations',
    { securityContext: { seccompProfile: { type: 'Unconfined' } } },
    {
      annotations: {
        'kubernetes.io/config.mirror': 'x',
        'controller.kubernetes.io/pod-deletion-cost': '+1',
        'seccomp.security.alpha.kubernetes.io/pod': 'foo',
        'container.apparmor.security.beta.kubernetes.io/nope': 'bar',
      },
    },
  ),
  podCase(
    'metadata',
    {},
    { name: 'A_', labels: { 'a b': 'c' }, finalizers: ['x y'], ownerReferences: [{ apiVersion: '', kind: '', name: '', uid: '' }] },
  ),
  podCase('no name', {}, { name: '' }),
];

export const podValidationCases: readonly GoldenCase[] = [...podVolumeCases, ...containerCases, ...specCases];
