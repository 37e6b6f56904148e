import { afterEach, expect, test, vi } from 'vitest';
import {
  adapt,
  CelError,
  CelList,
  compile,
  CostLimitExceeded,
  dynType,
  extendEnvironment,
  kubernetesEnvironment,
  listOf,
  mapOf,
  objectType,
  stringType,
  type Value,
} from './index.ts';

const selfType = objectType('self', { s: stringType, l: listOf(stringType), m: mapOf(stringType, stringType) });
const environment = extendEnvironment(kubernetesEnvironment, { variables: { self: selfType } });
const items = Array.from({ length: 20_000 }, (_, i) => `item${i}`);
const self = adapt({ s: 'a'.repeat(300_000), l: items, m: Object.fromEntries(items.map((k) => [k, k])) }, selfType);
const times = (part: string, n: number, separator = ''): string => Array.from({ length: n }, () => part).join(separator);

test.each<[string, string, string]>([
  ['long chains', times('1', 300, '+'), 'expression recursion limit exceeded: 250'],
  ['deep nesting', '('.repeat(50_000), 'expression recursion limit exceeded: 250'],
  ['selections', `self${times('.x', 40_000)}`, 'expression recursion limit exceeded: 250'],
  ['conditions', `${times('true?1:', 12_000)}1`, 'expression recursion limit exceeded: 250'],
  ['long texts', 'a'.repeat(100_001), 'expression code point size exceeds limit: size: 100001, limit 100000'],
  ['types that double', `[1]${times('.map(x, {x: x})', 100)}`, 'the type of the expression is too large'],
  ['patterns that double', `"a".matches("(((a{1,30}){1,30}){1,30})")`, 'invalid matches argument'],
])('%s are refused', (_name, expression, message) => {
  expect(compile(expression, environment).error).toContain(message);
});

const ten = '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]';
test.each<[string, string]>([
  ['nested loops', `${`${ten}.map(x, `.repeat(30)}${ten}.size()${')'.repeat(30)}`],
  ['chains of optMap', `optional.of(1)${times('.optMap(x, x + 1)', 24)}.hasValue()`],
  ['quadratic loops', 'self.m.all(k, self.m.all(j, k != j + "!"))'],
  ['ranges', 'lists.range(9223372036854775807).size() > 0'],
  ['texts that grow by replacing', 'self.s.replace("", self.s).size() > 0'],
  ['texts that grow by joining', 'self.l.join(self.s).size() > 0'],
  ['texts that double', `[self.s]${times('.map(x, x + x)', 40)}.all(x, x.size() > 0)`],
  ['lists that double, written out', `'%s'.format(${`[self.l]${times('.map(x, x + x)', 40)}`}).size() > 0`],
  ['lists that double, flattened', `dyn([[self.l]]${times('.map(x, [x, x])', 12)}).flatten(100).size() > 0`],
  ['lists that double, compared', `[self.l]${times('.map(x, x + x)', 40)}.all(x, x == x)`],
  ['sorting', 'self.l.sort().size() > 0'],
  ['cheap walks in loops', 'self.l.all(x, self.l.max() != "")'],
  ['comparisons in loops', 'self.l.all(x, self.m == self.m)'],
  ['parsing in loops', 'self.l.all(x, !isURL(self.s))'],
  ['zones in loops', 'self.l.all(x, timestamp("2020-01-01T00:00:00Z").getHours("Europe/Paris") > 0)'],
  ['many matches', 'self.s.findAll("a").size() > 0'],
])('%s are stopped', (_name, expression) => {
  const { program, error } = compile(expression, environment);
  expect(error).toBeUndefined();
  expect(() => program!.evaluate({ self }, 1_000_000)).toThrow(CostLimitExceeded);
});

test.each<[string, unknown]>([
  // Doubling a list costs no memory, and its elements are found.
  [`[[1, 2]]${times('.map(x, x + x)', 30)}.all(x, x.size() == 2147483648 && x[2147483646] == 1)`, true],
  ['self.s.matches("(a+)+$b")', false],
  [`${times('true', 10_000, '&&')}`, true],
  ['self.m["nothing"]', new CelError('no such key: nothing')],
])('%s is evaluated', (expression, value) => {
  expect(compile(expression, environment).program!.evaluate({ self }, 1_000_000).value).toEqual(value);
});

afterEach(() => {
  vi.restoreAllMocks();
});
test.each([
  ['goes on while the machine is busy with something else', 0, true],
  ['ends when it has kept the processor for long', 10_000_000, undefined],
])('an evaluation %s', (_name, cpuPerLook, value) => {
  let [nowMs, cpu] = [0, 0];
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10_000));
  vi.spyOn(process, 'cpuUsage').mockImplementation(() => ({ user: (cpu += cpuPerLook), system: 0 }));
  const { program } = compile('self.l.all(x, x != "")', environment);
  const evaluate = (): unknown => program?.evaluate({ self }, 1_000_000).value;
  if (value === undefined) expect(evaluate).toThrow(CostLimitExceeded);
  else expect(evaluate()).toBe(value);
});

/** A list that counts how often it is looked into. */
class Counted extends CelList {
  looks = 0;
  readonly size = 1;
  at(): Value {
    this.looks++;
    return '';
  }
}
const counting = extendEnvironment(kubernetesEnvironment, { variables: { c: dynType } });
const tree = `[dyn([c])]${times('.map(v, dyn([v, v]))', 26)}`;
const mapTree = `[dyn(c)]${times('.map(v, dyn({"a": v, "b": v}))', 26)}`;
const long = `[[dyn(1)]]${times('.map(v, v + v)', 24)}`;
test.each<[string, string]>([
  ['lists, compared', `${tree}.all(v, v == v)`],
  ['lists, told apart', `${tree}.all(v, !(v != v))`],
  ['maps, compared', `${mapTree}.all(v, v == v)`],
  ['lists, searched for', `${tree}.all(v, v in [v])`],
  ['lists, made distinct', `${tree}.all(v, [v, v].distinct().size() == 1)`],
  ['lists, as sets', `${tree}.all(v, sets.contains([v], [v]))`],
  ['lists, as equal sets', `${tree}.all(v, sets.equivalent([v], [v]))`],
  ['lists, as sets that meet', `${tree}.all(v, sets.intersects([v], [v]))`],
  ['lists, by their index', `${tree}.all(v, [v].indexOf(v) == 0)`],
  ['lists, by their last index', `${tree}.all(v, [v].lastIndexOf(v) == 0)`],
  ['lists, flattened', `${tree}.all(v, dyn(v).flatten(100).size() > 0)`],
  ['empty lists, flattened', `[dyn([])]${times('.map(v, dyn([v, v]))', 26)}.all(v, v.flatten(100).size() == 0)`],
  ['long lists, searched in', `${long}.all(v, 2 in v)`],
  ['long lists, searched in without their type', `${long}.all(v, dyn(2) in dyn(v))`],
])('trees of one part are not walked to their end: %s', (_name, expression) => {
  const { program, error } = compile(expression, counting);
  expect(error).toBeUndefined();
  const c = new Counted();
  expect(() => program!.evaluate({ c }, 1_000_000)).toThrow(CostLimitExceeded);
  expect(c.looks).toBeLessThan(1_100_000);
});
