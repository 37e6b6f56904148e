import type { IntOrString } from './object.ts';

/**
 * A number as it is, a percentage of `total` rounded up or down. Throws upstream's text for strings that are no percentage
 * (intstr.GetScaledValueFromIntOrPercent).
 */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number {
  if (typeof value === 'number') return value;
  const percent = parsePercent(value);
  const scaled = (percent * total) / 100;
  return roundUp ? Math.ceil(scaled) : Math.floor(scaled);
}

function parsePercent(value: string): number {
  if (!value.endsWith('%')) throw new Error('invalid value for IntOrString: invalid type: string is not a percentage');
  const digits = value.slice(0, -1);
  if (!/^[-+]?\d+$/.test(digits))
    throw new Error(
      `invalid value for IntOrString: invalid value ${JSON.stringify(value)}: strconv.Atoi: parsing ${JSON.stringify(digits)}: invalid syntax`,
    );
  return Number(digits);
}

export const isPercent = (value: IntOrString): value is string => typeof value === 'string' && /^[-+]?\d+%$/.test(value);
