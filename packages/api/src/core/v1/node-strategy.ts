import { type DeepReadonly, nameIsDNSSubdomain, type ResourceStrategy } from '@skiff/apimachinery';
import type { Node } from '../../generated/types/core-v1.ts';
import { keepField, statusStrategy } from '../../spec-and-status.ts';
import { nodeWarnings, validateNode, validateNodeUpdate } from './validate-node.ts';

/** Nodes register themselves together with their status; only later writes keep the two apart. */
export const nodeStrategy: ResourceStrategy<Node> = {
  validateName: nameIsDNSSubdomain,
  prepareForCreate(draft) {
    delete draft.spec?.configSource;
    delete draft.status?.config;
  },
  prepareForUpdate(draft, old) {
    keepField(draft, old, 'status');
    if (old.spec?.configSource === undefined) delete draft.spec?.configSource;
  },
  validate: (node, errors) => validateNode(node, errors),
  validateUpdate(node, old, errors) {
    validateNode(node, errors);
    validateNodeUpdate(node, old, errors);
  },
  warnings: nodeWarnings,
};

export const nodeStatusStrategy: ResourceStrategy<Node> = statusStrategy<Node>({
  prepareForUpdate(draft: Node, old: DeepReadonly<Node>) {
    if (old.status?.config === undefined) delete draft.status?.config;
  },
  validateUpdate: validateNodeUpdate,
});
