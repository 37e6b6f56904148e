import { describeContainerRuntime } from '../conformance.ts';
import { createFakeRuntime } from './fake-runtime.ts';

describeContainerRuntime('fake', async () => ({
  runtime: createFakeRuntime({ clock: { now: () => Date.now() } }),
  image: 'fake:1',
  programs: {
    untilStopped: ['pause'],
    ignoresTerm: ['stubborn'],
    exits: (code) => ['exit', String(code)],
    prints: (...lines) => ['print', ...lines],
    complains: (line) => ['complain', line],
    copiesInput: ['cat'],
    missing: ['no-such-program'],
  },
  [Symbol.asyncDispose]: async () => undefined,
}));
