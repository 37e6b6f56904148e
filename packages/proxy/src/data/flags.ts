import type { FlagTable } from '@skiff/component-base';

/** proxy-data's own flags; proxy starts it, nobody else does. File descriptor 3 is the host's network namespace. */
export const dataFlags = {
  instance: { type: 'string', required: true, help: 'The instance that this process serves; found by in the list of processes.' },
  socket: { type: 'string', required: true, help: 'Path of the unix socket on which proxy tells what to serve.' },
  'data-version': {
    type: 'string',
    required: true,
    help: 'Identity of the program, told to proxy so that it sees when a newer one should take over.',
  },
  'cluster-cidr': { type: 'string', required: true, help: 'Range of all pod addresses.' },
  'shadow-cidr': { type: 'string', required: true, help: 'Range that stands for it in the services namespace.' },
  v: { type: 'integer', default: 0, help: 'Verbosity: 4 and more log at debug level.' },
} as const satisfies FlagTable;
