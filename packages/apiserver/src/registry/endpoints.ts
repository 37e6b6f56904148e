import type { ResourceEndpoint } from '../contract.ts';
import { handlePatch } from './patch.ts';
import { getObject, listObjects, watchObjects } from './read-endpoints.ts';
import {
  handleCreate,
  handleDelete,
  handleDeleteCollection,
  handleUpdate,
  storedButNotEnforced,
  type WriteDeps,
  type WriteTarget,
} from './write-endpoints.ts';

type Method = Exclude<keyof ResourceEndpoint, 'definition' | 'subresource'>;

/** The verbs of a stored resource, as its definition lists them. */
export function createEndpoint(t: WriteTarget, deps: WriteDeps): ResourceEndpoint {
  const { resource } = t;
  const { clock } = deps;
  const guarded = guard(t);
  const all: Required<Pick<ResourceEndpoint, Method>> = {
    get: (r) => getObject(resource, r, clock),
    list: (r) => listObjects(resource, r, clock),
    watch: (r, open) => watchObjects(resource, r, open, clock),
    create: guarded((r) => handleCreate(t, deps, r)),
    update: guarded((r) => handleUpdate(t, deps, r)),
    patch: guarded((r) => handlePatch(t, deps, r)),
    delete: (r) => handleDelete(t, deps, r),
    deletecollection: (r) => handleDeleteCollection(t, deps, r),
  };
  return { definition: resource.definition, subresource: '', ...only(all, resource.definition.verbs) };
}

/** A subresource whose body is the parent object: get, update and patch with a strategy of its own. */
export function createSubresourceEndpoint(t: WriteTarget, deps: WriteDeps): ResourceEndpoint {
  const { resource, subresource } = t;
  const guarded = guard(t);
  const all: Pick<ResourceEndpoint, Method> = {
    get: (r) => getObject(resource, r, deps.clock),
    update: guarded((r) => handleUpdate(t, deps, r)),
    patch: guarded((r) => handlePatch(t, deps, r)),
  };
  return { definition: resource.definition, subresource, ...only(all, resource.definition.subresources?.[subresource]?.verbs ?? []) };
}

function only(all: Pick<ResourceEndpoint, Method>, verbs: readonly string[]): Pick<ResourceEndpoint, Method> {
  return Object.fromEntries(Object.entries(all).filter(([verb]) => verbs.includes(verb)));
}

/** Writes of kinds without their behaviour are answered with a warning, never accepted in silence. */
function guard(t: WriteTarget): (handle: NonNullable<ResourceEndpoint['create']>) => NonNullable<ResourceEndpoint['create']> {
  return (handle) => async (r) => {
    const { enforcement } = t.resource.definition;
    const response = await handle(r);
    if (enforcement === 'stored') r.warnings.push(storedButNotEnforced(t));
    return response;
  };
}
