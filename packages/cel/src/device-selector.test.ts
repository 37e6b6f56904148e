import { describe, expect, it } from 'vitest';
import { checkDeviceSelector } from './device-selector.ts';

/** As an upstream apiserver answers. */
describe('selectors of devices', () => {
  it.each([
    'true',
    'device.driver == "a.b"',
    'device.allowMultipleAllocations',
    'device.attributes["a.b"].c',
    'device.attributes["a.b"].c == 5',
    'device.attributes["a.b"].v.isGreaterThan(semver("1.2.3"))',
    'device.attributes["a.b"]["s"].lowerAscii() == "x"',
    'device.attributes["a.b"].s.matches("^x.*$")',
    'has(device.attributes["a.b"].x)',
    '"a.b" in device.attributes',
    'device.capacity["a.b"].m.compareTo(quantity("1Gi")) >= 0',
    'device.capacity.exists(d, device.capacity[d].exists(c, device.capacity[d][c].isGreaterThan(quantity("1"))))',
    'cel.bind(d, device.attributes["a.b"], d.x && d.y)',
  ])('%s', (expression) => expect(checkDeviceSelector(expression)).toEqual({}));

  it.each([
    ['1 + 1', 'must evaluate to bool or the unknown type, not int'],
    ['dyn(device.driver)', 'must evaluate to bool or the unknown type, not dyn'],
    ['device.attributes', 'must evaluate to bool or the unknown type, not map(string, map(string, google.protobuf.Any))'],
    ['device.foo', "compilation failed: ERROR: <input>:1:7: undefined field 'foo'\n | device.foo\n | ......^"],
    [
      'request.name == "x"',
      "compilation failed: ERROR: <input>:1:1: undeclared reference to 'request' (in container '')\n | request.name == \"x\"\n | ^",
    ],
  ])('%s is refused', (expression, invalid) => expect(checkDeviceSelector(expression)).toEqual({ invalid }));

  it.each([
    'device.attributes["a.b"].s.split("x").all(a, a.split("y").all(b, b.split("z").all(c, c != "")))',
    'cel.bind(d, device.attributes, d.all(k, d[k].all(l, d.all(m, d[m].all(n, true)))))',
  ])('%s may cost too much', (expression) =>
    expect(checkDeviceSelector(expression)).toEqual({ forbidden: 'too complex, exceeds cost limit' }),
  );
});
