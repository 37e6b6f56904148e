import type { Pod } from '@skiff/api';
import { badRequest, type DeepReadonly } from '@skiff/apimachinery';

/** The container that is meant: the one asked for, or the only one. Throws BadRequest in upstream's words. */
export function chooseContainer(pod: DeepReadonly<Pod>, asked: string): string {
  const name = pod.metadata?.name ?? '';
  const containers = pod.spec?.containers ?? [];
  const all = [...(pod.spec?.initContainers ?? []), ...containers, ...(pod.spec?.ephemeralContainers ?? [])].map((c) => c.name);
  if (asked !== '') {
    if (!all.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  const [only, ...more] = containers;
  if (only === undefined) throw badRequest(`a container name must be specified for pod ${name}`);
  if (more.length > 0) throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(' ')}]`);
  return only.name;
}
