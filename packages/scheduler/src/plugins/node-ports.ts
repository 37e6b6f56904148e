import { podsOf } from '../framework/node-change.ts';
import { HostPorts } from '../framework/node-info.ts';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import { createPodInfo } from '../framework/pod-info.ts';
import { ok, skip, unschedulable } from '../framework/verdict.ts';

const rejection = unschedulable("node(s) didn't have free ports for the requested pod ports");

/** Two pods can't have one host port: same protocol, same port, and the same address or one of them all addresses. */
export const nodePorts: SchedulerPlugin = {
  name: 'NodePorts',
  requeueOn: [
    {
      resource: 'AssignedPod',
      actions: ['delete'],
      helps: (pod, event) => {
        const gone = podsOf(event).before;
        if (gone === undefined) return true;
        const freed = new HostPorts();
        for (const port of createPodInfo(gone).hostPorts) freed.add(port);
        return pod.hostPorts.some((port) => freed.conflicts(port));
      },
    },
    { resource: 'Node', actions: ['add'] },
  ],
  preFilter: (pod) => (pod.hostPorts.length === 0 ? skip : ok),
  filter: (pod, node) => (pod.hostPorts.some((port) => node.ports.conflicts(port)) ? rejection : ok),
};
