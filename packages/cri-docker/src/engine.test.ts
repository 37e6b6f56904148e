import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createAgent } from './engine.ts';

describe('the agent', () => {
  it('costs docker-modem nothing to render', () => {
    const agent = createAgent();
    expect(inspect({ agent }, { showHidden: true, depth: null })).toBe('{ agent: [http.Agent] }');
    agent.destroy();
  });
});
