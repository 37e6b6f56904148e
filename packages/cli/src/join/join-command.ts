import { Option, type Command } from 'commander';
import { loadConfig, type ClusterConfig } from '../config.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';

interface JoinOptions extends Record<string, unknown> {
  readonly rootDir: string;
  readonly token?: string;
  readonly discoveryTokenCaCertHash?: readonly string[];
  readonly discoveryTokenUnsafeSkipCaVerification?: boolean;
  readonly controlPlane?: boolean;
  readonly certificateKey?: string;
  readonly timeout: string;
}

function parsePins(options: JoinOptions): readonly string[] {
  const pins = options.discoveryTokenCaCertHash ?? [];
  const wrong = pins.find((p) => !/^sha256:[0-9a-f]{64}$/i.test(p));
  if (wrong !== undefined)
    throw new UserError(`--discovery-token-ca-cert-hash takes sha256: and 64 hexadecimal digits, not "${wrong}".`, 'usage');
  if (pins.length === 0 && options.discoveryTokenUnsafeSkipCaVerification !== true) {
    throw new UserError(
      '--discovery-token-ca-cert-hash is needed to know the cluster by; `skiff token create --print-join-command` prints it. Without it whoever knows the token could pose as the cluster: --discovery-token-unsafe-skip-ca-verification accepts that.',
      'usage',
    );
  }
  return pins.map((p) => p.toLowerCase());
}

/** `skiff join`: kubeadm's names for what kubeadm has. `configFrom` reads the options that `up` has as well. */
export function addJoinCommand(
  program: Command,
  o: { defaultRootDir: string; steps: Steps; options: readonly Option[]; configFrom: (options: Record<string, unknown>) => ClusterConfig },
): void {
  const { steps } = o;
  const command = program
    .command('join')
    .description('make this host a node of a cluster; without a token: start it again, as after a reboot')
    .argument('[host:port]', 'where an apiserver of the cluster listens; without a token: where it does now')
    .option('--root-dir <path>', 'folder that holds all state', o.defaultRootDir)
    .option('--token <token>', 'bootstrap token, from `skiff token create` on the control plane')
    .option('--discovery-token-ca-cert-hash <hash...>', 'pin of the cluster’s CA: sha256:…')
    .option('--discovery-token-unsafe-skip-ca-verification', 'believe whoever knows the token')
    .option('--control-plane', 'run apiserver, etcd, controller-manager and scheduler here too')
    .option('--certificate-key <key>', 'decrypts the handed-over certificates; `skiff token create --control-plane` prints it')
    .option('--timeout <seconds>', 'how long to wait for the node to be Ready', '120');
  for (const option of o.options) command.addOption(option);
  command.action(async (address: string | undefined, options: JoinOptions) => {
    const started = Date.now();
    const timeoutMs = Number(options.timeout) * 1000;
    const { parseEndpoint } = await import('./discover.ts');
    const endpoint = address === undefined ? undefined : parseEndpoint(address);
    const seconds = (): string => `${((Date.now() - started) / 1000).toFixed(1)} s`;
    if (endpoint === undefined || options.token === undefined) {
      const known = loadConfig(options.rootDir);
      if (known?.role !== 'node') {
        throw new UserError(
          'The address of an apiserver and a token are needed; on the control plane, `skiff token create --print-join-command` prints the command to run here.',
          'usage',
        );
      }
      const { rejoin } = await import('./rejoin.ts');
      await rejoin(known, steps, { timeoutMs, ...(endpoint === undefined ? {} : { endpoint }) });
      steps.line(`\nNode ${known.nodeName} is up (${seconds()}).`);
      return;
    }
    const { parseToken } = await import('../token/bootstrap-token.ts');
    const order = {
      endpoint,
      token: parseToken(options.token),
      pins: parsePins(options),
      config: o.configFrom(options),
      chooseAddress: options['nodeAddress'] === undefined,
      timeoutMs,
    };
    if (options.controlPlane === true) {
      if (options.certificateKey === undefined)
        throw new UserError('--certificate-key is needed with --control-plane; `skiff token create --control-plane` prints it.', 'usage');
      const { joinControlPlane } = await import('../control-plane/join-control-plane.ts');
      const joined = await joinControlPlane({ ...order, certificateKey: options.certificateKey }, steps);
      steps.line(`\nThis host is part of the control plane, and node ${joined.nodeName} (${seconds()}). Members: skiff members`);
      return;
    }
    const { join } = await import('./join.ts');
    const config = await join(order, steps);
    steps.line(`\nThis host is node ${config.nodeName} of the cluster (${seconds()}). On the control plane: kubectl get nodes`);
  });
}
