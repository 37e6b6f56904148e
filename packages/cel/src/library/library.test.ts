import { describe, expect, test } from 'vitest';
import { CelError, compile, extendEnvironment, kubernetesEnvironment, dynType, ArrayList } from '../index.ts';

const environment = extendEnvironment(kubernetesEnvironment, { variables: { d: dynType } });

function evaluate(expression: string): unknown {
  const { program, error } = compile(expression, environment);
  if (error !== undefined) return error;
  const { value } = program!.evaluate({ d: new ArrayList([]) }, 10_000_000);
  return value instanceof CelError ? `error: ${value.message}` : value;
}

const tables: Readonly<Record<string, readonly (readonly [string, unknown?])[]>> = {
  strings: [
    ["'tacocat'.charAt(3) == 'o' && 'a'.charAt(1) == ''"],
    ["'tacocat'.charAt(9)", 'error: index out of range: 9'],
    ["'hello mellow'.indexOf('ello') == 1 && 'hello mellow'.indexOf('ello', 2) == 7 && 'a'.indexOf('z') == -1 && 'abc'.indexOf('') == 0"],
    ["'hello mellow'.indexOf('ello', 20) == -1"],
    ["'hello mellow'.indexOf('ello', -1)", 'error: index out of range: -1'],
    ["'hello mellow'.lastIndexOf('ello') == 7 && 'hello mellow'.lastIndexOf('ello', 6) == 1 && 'abc'.lastIndexOf('') == 3"],
    ["'TacoCÆt'.lowerAscii() == 'tacocÆt' && 'TacoCæt'.upperAscii() == 'TACOCæT'"],
    ["'hello hello'.replace('he', 'we') == 'wello wello' && 'hello hello'.replace('he', 'we', 1) == 'wello hello'"],
    ["'ab'.replace('', '_') == '_a_b_' && 'ab'.replace('', '_', 1) == '_ab' && 'ab'.replace('a', 'c', 0) == 'ab'"],
    [
      "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'ab'.split('') == ['a', 'b'] && 'a'.split(',', 0) == []",
    ],
    ["'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco' && 'a😀b'.substring(1, 2) == '😀'"],
    ["'tacocat'.substring(40)", 'error: index out of range: 40'],
    ["'tacocat'.substring(3, 1)", 'error: invalid substring range. start: 3, end: 1'],
    ["' \\ttrim\\n '.trim() == 'trim'"],
    ["['x', 'y'].join() == 'xy' && ['x', 'y'].join('-') == 'x-y'"],
    ['strings.quote(\'a"b\\n\') == \'"a\\\\"b\\\\n"\''],
  ],
  format: [
    ["'%s is %d, %x %X %o %b'.format([dyn('a'), 5, 255, 255, 8, 5]) == 'a is 5, ff FF 10 101'"],
    ["'%.2f %e %%'.format([dyn(1234.567), 1052.032911275]) == '1,234.57 1.052033×10⁰³ %'"],
    ["'%s'.format([[1, 2]]) == '[1, 2]' && '%s'.format([{'a': 'b'}]) == '{\"a\":\"b\"}' && '%s'.format([null]) == 'null'"],
    ["'%s %s'.format(dyn(['a']))", 'error: index 1 out of range'],
    ["'%d'.format(dyn(['a']))", 'error: error during formatting: decimal clause can only be used on integers, was given string'],
  ],
  lists: [
    ['[1, 2, 3].isSorted() && !["b", "a"].isSorted()'],
    ['[1, 2, 3].sum() == 6 && [1.5, 2.0].sum() == 3.5 && [duration("1m"), duration("1s")].sum() == duration("61s")'],
    ['[3, 1, 2].max() == 3 && [3, 1, 2].min() == 1'],
    ['d.max()', 'error: max called on empty list'],
    ['[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(4) == -1'],
    ['[1, 2, 3, 4].slice(1, 3) == [2, 3]'],
    ['[1].slice(0, 3)', 'error: cannot slice(0, 3), list is length 1'],
    ['[[1], [2, 3]].flatten() == [1, 2, 3] && dyn([1, [2, [3]]]).flatten(2) == [1, 2, 3]', expect.stringContaining('expected type')],
    ['[[1], [2, 3]].flatten() == [1, 2, 3]'],
    ['[3, 1, 2].sort() == [1, 2, 3] && ["b", "a"].sort() == ["a", "b"]'],
    ['["aaa", "b", "cc"].sortBy(x, size(x)) == ["b", "cc", "aaa"]'],
    ['lists.range(3) == [0, 1, 2] && [1, 2].reverse() == [2, 1] && [1, 2, 1].distinct() == [1, 2]'],
    ['[1, 2].first().value() == 1 && [1, 2].last().value() == 2'],
  ],
  sets: [
    ['sets.contains([1, 2, 3], [3, 1]) && !sets.contains([1], [2])'],
    ['sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2]) && !sets.intersects([1], [2])'],
  ],
  regex: [
    ["'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]') == ''"],
    ["'1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']"],
    ["'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a+)+$') == false"],
  ],
  optional: [
    ['{"a": 1}[?"a"].orValue(2) == 1 && {"a": 1}[?"b"].orValue(2) == 2 && {"a": 1}.?b.hasValue() == false'],
    ['optional.of(1).optMap(x, x + 1).value() == 2 && optional.none().or(optional.of(1)).value() == 1'],
    ['optional.of(1).optFlatMap(x, optional.of(x + 1)) == optional.of(2) && !optional.ofNonZeroValue("").hasValue()'],
    ['[?optional.of(1), ?optional.none()] == [1] && {?"a": optional.none(), "b": 1} == {"b": 1}'],
    ['[optional.of(1), optional.none()].unwrapOpt() == [1] && optional.unwrap([optional.of(2)]) == [2]'],
    ['optional.none().value() == 1', 'error: optional.none() dereference'],
  ],
  comprehensions: [
    ['[1, 2].all(i, v, i < v) && {"a": 1}.exists(k, v, k == "a" && v == 1) && [1, 2].existsOne(i, v, v == 2)'],
    ['[1, 2].transformList(i, v, i + v) == [1, 3] && [1, 2].transformList(i, v, v > 1, v) == [2]'],
    ['{"a": 1}.transformMap(k, v, v * 2) == {"a": 2} && {"a": 1, "b": 2}.transformMap(k, v, v > 1, v) == {"b": 2}'],
    ['{"a": "x"}.transformMapEntry(k, v, {v: k}) == {"x": "a"}'],
    ['{"a": "x", "b": "x"}.transformMapEntry(k, v, {v: k}) == {}', 'error: insert failed: key x already exists'],
  ],
  quantity: [
    ['quantity("1Gi").isGreaterThan(quantity("1G")) && quantity("1").isLessThan(quantity("2")) && quantity("1000m") == quantity("1")'],
    ['quantity("50k").add(20) == quantity("50020") && quantity("2").sub(quantity("1")).asInteger() == 1'],
    ['isQuantity("1.5Gi") && !isQuantity("abc") && sign(quantity("-1")) == -1 && quantity("1").compareTo(quantity("2")) == -1'],
    ['!quantity("1.5").isInteger() && quantity("1.5").asApproximateFloat() == 1.5'],
    ['quantity("1.5").asInteger() == 1', 'error: cannot convert value to integer'],
  ],
  semver: [
    ['semver("1.2.3").isLessThan(semver("1.10.0")) && semver("1.0.0-alpha").isLessThan(semver("1.0.0"))'],
    ['isSemver("1.2.3") && !isSemver("v1.2") && isSemver("v01.2", true) && semver("v1.2", true) == semver("1.2.0")'],
    ['semver("1.2.3").major() == 1 && semver("1.2.3").minor() == 2 && semver("1.2.3+build").patch() == 3'],
    ['semver("1.0.0-alpha.1").compareTo(semver("1.0.0-alpha.beta")) == -1'],
  ],
  network: [
    [
      'ip("127.0.0.1").family() == 4 && ip("::1").isLoopback() && ip("fe80::1").isLinkLocalUnicast() && ip("ff02::1").isLinkLocalMulticast()',
    ],
    ['ip("8.8.8.8").isGlobalUnicast() && !ip("255.255.255.255").isGlobalUnicast() && ip("0.0.0.0").isUnspecified()'],
    ['isIP("1.2.3.4") && !isIP("01.2.3.4") && !isIP("fe80::1%en0") && !isIP("::ffff:1.2.3.4")'],
    ['ip.isCanonical("::1") && !ip.isCanonical("2001:DB8::1") && string(ip("2001:DB8::1")) == "2001:db8::1"'],
    ['cidr("192.168.0.0/16").containsIP("192.168.1.1") && !cidr("192.168.0.0/16").containsIP(ip("10.0.0.1"))'],
    ['cidr("192.168.0.0/16").containsCIDR("192.168.10.0/24") && !cidr("192.168.0.0/24").containsCIDR(cidr("192.168.0.0/16"))'],
    ['cidr("192.168.1.5/24").masked() == cidr("192.168.1.0/24") && cidr("::1/128").prefixLength() == 128 && isCIDR("10.0.0.0/8")'],
    ['string(cidr("192.168.1.5/24").ip()) == "192.168.1.5" && type(ip("::1")) == net.IP'],
  ],
  urls: [
    ['url("https://user@example.com:80/path%20x?k=1&k=2#f").getHost() == "example.com:80"'],
    ['url("https://[::1]:8080/").getHostname() == "::1" && url("https://a:8080/x").getPort() == "8080" && url("/x").getScheme() == ""'],
    ['url("https://a/b?k=1&k=2&l=%20").getQuery() == {"k": ["1", "2"], "l": [" "]} && url("http://a/b c").getEscapedPath() == "/b%20c"'],
    ['isURL("https://example.com") && !isURL("../x") && !isURL("https://a:b/")'],
  ],
  formats: [
    ['!format.dns1123Label().validate("my-label").hasValue() && format.dns1123Label().validate("A").hasValue()'],
    ['format.named("uuid").value().validate("x").value() == ["does not match the UUID format"] && !format.named("nope").hasValue()'],
  ],
  time: [
    ['timestamp("2023-07-14T10:30:45.123Z").getFullYear() == 2023 && timestamp("2023-01-01T05:30:00Z").getFullYear("-08:00") == 2022'],
    ['timestamp("2023-07-14T10:30:45Z").getHours("America/Los_Angeles") == 3 && timestamp("2023-01-02T00:00:00Z").getDayOfYear() == 1'],
    ['duration("3723.456s").getMinutes() == 62 && string(duration("90m")) == "5400s" && timestamp(1) - timestamp(0) == duration("1s")'],
  ],
};

describe.each(Object.entries(tables))('%s', (_name, rows) => {
  test.each(rows.map(([expression, value = true]) => ({ expression, value })))('$expression', ({ expression, value }) => {
    expect(evaluate(expression)).toEqual(value);
  });
});
