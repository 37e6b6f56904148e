import { expect, it } from 'vitest';
import { mountsBelow } from './workloads.ts';

const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:50 / /var/lib/skiff/kubelet/pods/a/volumes/x rw - tmpfs tmpfs rw
41 40 0:51 / /var/lib/skiff/kubelet/pods/a/volumes/x/deep\\040er rw - tmpfs tmpfs rw
42 22 0:52 / /var/lib/skiffer rw - tmpfs tmpfs rw
`;

it('lists what is mounted below a folder, deepest first, and nothing beside it', () => {
  expect(mountsBelow('/var/lib/skiff', mountinfo)).toEqual([
    '/var/lib/skiff/kubelet/pods/a/volumes/x/deep er',
    '/var/lib/skiff/kubelet/pods/a/volumes/x',
  ]);
});
