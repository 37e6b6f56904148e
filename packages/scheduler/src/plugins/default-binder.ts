import type { Binding } from '@skiff/api';
import type { Client } from '@skiff/client';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import { podKey } from '../framework/pod-info.ts';
import { podResource } from '../resource-refs.ts';

/** Binds by the pod's binding subresource; the uid keeps a pod of the same name that came since from being bound. */
export const createDefaultBinder = ({ client }: { readonly client: Client }): SchedulerPlugin => ({
  name: 'DefaultBinder',
  bind: async (pod, nodeName, signal) => {
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace: pod.namespace, name: pod.name, uid: pod.uid },
      target: { kind: 'Node', name: nodeName },
    };
    await client.createSubresource(podResource, podKey(pod), 'binding', binding, { signal });
  },
});
