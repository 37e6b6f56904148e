import { type FieldErrors, isNegativeError, isValidPercent } from '@skiff/apimachinery';
import { invalidEach } from './validation.ts';

type IntOrString = number | string;

export function validateIntOrPercent(value: IntOrString, path: string, errors: FieldErrors): void {
  if (typeof value === 'string') invalidEach(errors, path, value, isValidPercent(value));
  else if (value < 0) errors.invalid(path, value, isNegativeError);
}

const percent = (value: IntOrString): number | undefined =>
  typeof value === 'string' && isValidPercent(value).length === 0 ? Number(value.slice(0, -1)) : undefined;

/** The number before the percent sign, or the number; 0 for what is neither. */
export const intOrPercentValue = (value: IntOrString): number => percent(value) ?? (Number.isInteger(Number(value)) ? Number(value) : 0);

export function validateNotMoreThan100Percent(value: IntOrString, path: string, errors: FieldErrors): void {
  if ((percent(value) ?? 0) > 100) errors.invalid(path, value, 'must not be greater than 100%');
}
