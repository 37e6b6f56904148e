import { node as nodes } from '@skiff/api';
import type { ControllerDescriptor } from '../descriptor.ts';
import { NodeMonitor } from '../node-lifecycle/node-monitor.ts';

/** Marks nodes that have fallen silent, takes their pods out of Services, and keeps the taints that go with conditions. */
export const nodeLifecycleController: ControllerDescriptor = {
  name: 'node-lifecycle-controller',
  eventComponent: 'node-controller',
  run: async (context, signal) => {
    const log = context.log.child({ controller: 'node-lifecycle-controller' });
    const monitor = new NodeMonitor({ ...context, log });
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([monitor.synced, stopped]);
    let wake = (): void => undefined;
    // A node that changes by itself (cordoned, ready again) is not kept waiting for the next period.
    using _subscription = context.informers.informer(nodes).subscribe({
      onAdd: () => wake(),
      onUpdate: (node, old) => {
        if (JSON.stringify([node.spec, conditionStates(node)]) !== JSON.stringify([old.spec, conditionStates(old)])) wake();
      },
      onDelete: () => wake(),
    });
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const waitMs = await monitor.tick(signal);
      let timer: Disposable | undefined;
      const period = new Promise<void>((resolve) => {
        timer = context.clock.after(waitMs, resolve);
      });
      await Promise.race([woken, period, stopped]);
      timer?.[Symbol.dispose]();
    }
  },
};

const conditionStates = (node: {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}): readonly string[] => (node.status?.conditions ?? []).map((c) => `${c.type}=${c.status}`);
