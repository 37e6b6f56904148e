import { describe, expect, it } from 'vitest';
import { revisionData, templateOf } from './controller-history.ts';

describe('what a revision holds', () => {
  const template = {
    metadata: { labels: { b: '2', a: '1' } },
    spec: { restartPolicy: 'Always', containers: [{ name: 'c', image: 'i', env: [{ name: 'Y' }, { name: 'X' }] }] },
  };
  it('has its keys sorted: clients compare bytes', () => {
    expect(JSON.stringify(revisionData(template))).toBe(
      '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"1","b":"2"}},' +
        '"spec":{"containers":[{"env":[{"name":"Y"},{"name":"X"}],"image":"i","name":"c"}],"restartPolicy":"Always"}}}}',
    );
  });
  it('gives the template back', () => {
    expect(templateOf({ revision: 1, data: revisionData(template) })).toEqual(template);
  });
});
