import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RuntimeError } from '../runtime-error.ts';

/** Where a runtime looks for the Container Network Interface: programs, and what to do with them. */
export interface CniPlaces {
  readonly binDirectory: string;
  readonly confDirectory: string;
}

export const defaultCniPlaces: CniPlaces = { binDirectory: '/opt/cni/bin', confDirectory: '/etc/cni/net.d' };

/** The runtime takes the first file by name. */
const confName = '00-skiff.conflist';
const pluginName = 'skiff';
const mark = '# Installed by Skiff:';
/** Addresses of sandboxes that are being made, by the UID of their pods. */
export const cniAddressDirectory = '/run/skiff-cni';

const conf = { cniVersion: '0.3.1', name: 'skiff', plugins: [{ type: pluginName }] };

/** Wires nothing, since the kubelet does, and tells the runtime the address that the kubelet is going to give. */
const renderPlugin = (addressDirectory: string): string => `#!/bin/sh
${mark} the kubelet connects pods itself. This tells the runtime their addresses.
while read -r _; do :; done
refuse() {
  echo '{"cniVersion":"0.3.1","code":100,"msg":"the pod network of this runtime belongs to a Skiff node: its kubelet alone makes pods here"}'
  exit 1
}
case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion":"0.3.1","supportedVersions":["0.3.0","0.3.1"]}' ;;
ADD)
  if [ "$CNI_IFNAME" = lo ]; then
    address=127.0.0.1/8
  else
    uid=
    IFS=';'
    for pair in $CNI_ARGS; do
      case "$pair" in K8S_POD_UID=*) uid=\${pair#*=} ;; esac
    done
    case "$uid" in '' | *[!A-Za-z0-9_-]*) refuse ;; esac
    { read -r address <"${addressDirectory}/$uid"; } 2>/dev/null || refuse
    address=$address/32
  fi
  echo '{"cniVersion":"0.3.1","interfaces":[{"name":"'"$CNI_IFNAME"'","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"version":"4","interface":0,"address":"'"$address"'"}]}'
  ;;
esac
`;

async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) return;
  await writeFile(`${file}.new`, text, { mode });
  await chmod(`${file}.new`, mode);
  await rename(`${file}.new`, file);
}

/**
 * Makes a runtime that wants a CNI configuration leave the network of its sandboxes to the kubelet. Safe to repeat. Throws `invalid`
 * when another configuration comes before ours: its pods and ours would get in each other's way.
 */
export async function installCniPlugin(places: CniPlaces, addressDirectory = cniAddressDirectory): Promise<void> {
  for (const directory of [places.binDirectory, places.confDirectory, addressDirectory]) await mkdir(directory, { recursive: true });
  const first = (await readdir(places.confDirectory)).filter((n) => /\.(conf|conflist|json)$/.test(n)).sort()[0];
  if (first !== undefined && first < confName) {
    throw new RuntimeError(
      'invalid',
      `the runtime has a CNI configuration, ${path.join(places.confDirectory, first)}, that comes before ${confName}: pods get their network from Skiff, so it has to go`,
    );
  }
  const plugin = renderPlugin(addressDirectory);
  await replaceFile(path.join(places.binDirectory, pluginName), plugin, 0o755);
  // Older runtimes insist on one for the loopback interface, which the kubelet brings up as well.
  const loopback = path.join(places.binDirectory, 'loopback');
  const present = await readFile(loopback, 'latin1').catch(() => undefined);
  if (present === undefined || present.includes(mark)) await replaceFile(loopback, plugin, 0o755);
  await replaceFile(path.join(places.confDirectory, confName), `${JSON.stringify(conf, null, 2)}\n`, 0o644);
}

/** Takes back what `installCniPlugin` made; what is somebody else's stays. */
export async function removeCniPlugin(places: CniPlaces, addressDirectory = cniAddressDirectory): Promise<void> {
  await rm(path.join(places.confDirectory, confName), { force: true });
  for (const name of [pluginName, 'loopback']) {
    const file = path.join(places.binDirectory, name);
    if ((await readFile(file, 'latin1').catch(() => '')).includes(mark)) await rm(file, { force: true });
  }
  await rm(addressDirectory, { recursive: true, force: true });
}

/** Tells the plugin the address of a sandbox while the runtime makes it. */
export async function withSandboxAddress<R>(
  o: { readonly uid: string; readonly address: string | undefined; readonly directory?: string },
  make: () => Promise<R>,
): Promise<R> {
  if (o.address === undefined || !/^[\w-]+$/.test(o.uid)) return make();
  const directory = o.directory ?? cniAddressDirectory;
  const file = path.join(directory, o.uid);
  await mkdir(directory, { recursive: true });
  await writeFile(file, `${o.address}\n`);
  try {
    return await make();
  } finally {
    await rm(file, { force: true });
  }
}

/** From a runtime's verbose status (containerd tells its configuration there); where it says nothing, the usual places. */
export function cniPlacesOf(configuration: string | undefined): CniPlaces {
  if (configuration === undefined) return defaultCniPlaces;
  const { cni } = JSON.parse(configuration) as {
    readonly cni?: { readonly binDir?: string; readonly binDirs?: readonly string[]; readonly confDir?: string };
  };
  const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
  return {
    binDirectory: given(cni?.binDir) ?? given(cni?.binDirs?.[0]) ?? defaultCniPlaces.binDirectory,
    confDirectory: given(cni?.confDir) ?? defaultCniPlaces.confDirectory,
  };
}
