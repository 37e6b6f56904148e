import * as api from '@skiff/api';
import { expect, it } from 'vitest';
import * as refs from './resource-refs.ts';

it('addresses are those of the definitions', () => {
  const definitions = Object.values(api as unknown as Record<string, { plural?: string; group?: string }>);
  for (const ref of Object.values(refs)) {
    const definition = definitions.find((d) => d?.plural === ref.plural && d?.group === ref.group);
    expect(definition).toMatchObject({ ...ref });
  }
});
