import { type DeepReadonly, isDNS1123Label, type KubeObject } from '@skiff/apimachinery';

/** Warns of names that are legal but make bad host names; `use` says where the name will show up. */
export function nameWarning(object: DeepReadonly<KubeObject>, use: string): string[] {
  const complaints = isDNS1123Label(object.metadata?.name ?? '');
  if (complaints.length === 0) return [];
  return [
    `metadata.name: this is used in ${use}, which can result in surprising behavior; a DNS label is recommended: [${complaints.join(' ')}]`,
  ];
}
