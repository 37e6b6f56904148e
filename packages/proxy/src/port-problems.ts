import type { Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { EventRecorder } from '@skiff/client';
import type { FrontendProblem } from './data/protocol.ts';
import { formatHostPort, type DataTable } from './table/types.ts';

/** Tells the owners of Services which of this host's ports can't be theirs, since a program of the host has them. */
export interface PortProblems {
  update(table: DataTable | undefined, problems: readonly FrontendProblem[]): void;
}

/** The Service that a group of the table belongs to: `namespace/name:port/…`. */
const serviceOfGroup = (group: string): readonly [namespace: string, name: string] | undefined => {
  const match = /^([^/:]+)\/([^/:]+):/.exec(group);
  return match?.[1] === undefined || match[2] === undefined ? undefined : [match[1], match[2]];
};

export function createPortProblems(
  config: { nodeName: string },
  deps: { events: EventRecorder; service(namespace: string, name: string): DeepReadonly<Service> | undefined },
): PortProblems {
  /** What was told, so that it is told once for as long as it lasts. */
  let told = new Set<string>();
  return {
    update: (table, problems) => {
      const now = new Set<string>();
      for (const { key, message } of problems) {
        const frontend = table?.frontends[key];
        const [namespace = '', name = ''] = serviceOfGroup(frontend?.group ?? '') ?? [];
        const service = deps.service(namespace, name);
        if (frontend?.place !== 'host' || service === undefined || !message.includes('EADDRINUSE')) continue;
        const id = `${key} ${service.metadata?.uid ?? ''}`;
        now.add(id);
        if (told.has(id)) continue;
        const at = formatHostPort(frontend.address, frontend.port);
        deps.events.event(
          service,
          'Warning',
          'PortNotAvailable',
          `${at}/${frontend.protocol} of node ${config.nodeName} is in use by another program; it is opened when that ends`,
        );
      }
      told = now;
    },
  };
}
