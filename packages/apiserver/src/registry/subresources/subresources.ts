import type { ResourceDefinition } from '@skiff/apimachinery';
import type { ResourceEndpoint } from '../../contract.ts';
import { bindPod, podBinding } from './pod-binding.ts';
import { podEviction } from './pod-eviction.ts';
import { scale } from './scale.ts';
import type { RegistrySubresource, SubresourceDeps } from './subresource.ts';

/** Every subresource whose logic needs nothing but the registry. */
export const registrySubresources: readonly RegistrySubresource[] = [podBinding, podEviction, scale];

/** `POST …/bindings`: the same as pods/binding with the name in the body. Nothing is stored under the name. */
export function bindingsEndpoint(d: ResourceDefinition, deps: SubresourceDeps): ResourceEndpoint | undefined {
  const pods = deps.definition('', 'pods');
  if (d.group !== '' || d.plural !== 'bindings' || pods === undefined) return undefined;
  return { definition: d, subresource: '', create: (r) => bindPod(pods, deps, r) };
}
