import type { AdmissionPlugin } from './plugin.ts';
import { refuse } from './refuse.ts';

/** Does nothing. Off by default, and there for command lines that name it. */
export const alwaysAdmit: AdmissionPlugin = { name: 'AlwaysAdmit', handles: () => false };

/** Refuses everything: for tests of what a client does then. Off by default. */
export const alwaysDeny: AdmissionPlugin = {
  name: 'AlwaysDeny',
  handles: () => true,
  mutate: (r) => {
    throw refuse(r, 'admission control is denying all modifications');
  },
};
