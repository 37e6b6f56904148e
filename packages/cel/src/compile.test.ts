import { expect, test } from 'vitest';
import {
  adapt,
  compile,
  CostLimitExceeded,
  extendEnvironment,
  intType,
  kubernetesEnvironment,
  listOf,
  mapOf,
  objectType,
  stringType,
  boolType,
} from './index.ts';

const selfType = objectType('selfType', { foo: intType, name: stringType, items: listOf(stringType), m: mapOf(stringType, stringType) });
const environment = extendEnvironment(kubernetesEnvironment, { variables: { self: selfType } });
const self = adapt({ foo: 3, name: 'abc', items: ['a', 'bb', 'c'], m: { x: 'y' } }, selfType);

function evaluate(expression: string, limit = 1_000_000): unknown {
  const { program, error } = compile(expression, environment);
  expect(error).toBeUndefined();
  return program!.evaluate({ self }, limit).value;
}

test.each<[string, unknown]>([
  ['self.foo > 2 && self.name.startsWith("a")', true],
  ['self.items.map(x, x + "!").exists(x, x == "a!")', true],
  ['self.items.all(i, v, i < 3 && v != "")', true],
  ['{"a": 1}.transformMap(k, v, v + 1) == {"a": 2}', true],
  ['[1, 2].map(x, [1, 2].map(y, x * y)) == [[1, 2], [2, 4]]', true],
  ['has(self.m.y) || self.m["x"] == "y"', true],
  ['false || 1 / 0 == 1 || true', true],
  ['string(duration("1h") + timestamp("2020-01-01T00:00:00Z"))', '2020-01-01T01:00:00Z'],
  ['type(1) == int && type("") != int', true],
  ['{"a": null}.a == null && {"a": null}["a"] == null', true],
  ['size("a\\U0001F600")', 2n],
])('%s', (expression, value) => {
  expect(evaluate(expression)).toEqual(value);
});

test.each<[string, string]>([
  ['1 / 0 == 1', 'division by zero'],
  ['self.items[5] == ""', 'index out of bounds: 5'],
  ['self.m["z"] == ""', 'no such key: z'],
  ['9223372036854775807 + 1 == 0', 'integer overflow'],
])('%s fails', (expression, message) => {
  expect(evaluate(expression)).toMatchObject({ message });
});

test.each<[string, string]>([
  ['self.bar == 1', "ERROR: <input>:1:5: undefined field 'bar'\n | self.bar == 1\n | ....^"],
  ['1 + "a"', "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + \"a\"\n | ..^"],
  ['other', "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other\n | ^"],
  ['[1, "a"]', "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, \"a\"]\n | ....^"],
])('%s is refused', (expression, message) => {
  expect(compile(expression, environment).error).toBe(`compilation failed: ${message}`);
});

test('a program of the wrong type is refused', () => {
  expect(compile('self.foo', environment, [boolType]).error).toBe('must evaluate to bool');
});

test('an expression that costs too much is stopped', () => {
  const ten = '[1,2,3,4,5,6,7,8,9,10]';
  const nested = `${ten}.map(a, ${ten}.map(b, ${ten}.map(c, ${ten}.map(d, ${ten}.map(e, a + b + c + d + e))))) == []`;
  expect(() => evaluate(nested)).toThrow(CostLimitExceeded);
});
