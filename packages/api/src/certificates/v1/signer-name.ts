import {
  dns1123LabelMaxLength,
  dns1123SubdomainMaxLength,
  type FieldErrors,
  isDNS1123Label,
  isDNS1123Subdomain,
} from '@skiff/apimachinery';
import { invalidEach } from '../../validation.ts';

const maxPathLength = dns1123SubdomainMaxLength + dns1123LabelMaxLength + 1;

/** `domain/path`; the path of signers that sign for namespaces ends in the namespace's name. */
export function validateSignerName(name: string, path: string, errors: FieldErrors): void {
  if (name === '') return errors.required(path);
  const [domain = '', signer = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0) {
    return errors.invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
  }
  const firstWrong = (labels: readonly string[], whole: string, check: (label: string) => readonly string[]): void => {
    const label = labels.find((l) => check(l).length > 0);
    if (label !== undefined) {
      invalidEach(
        errors,
        path,
        whole,
        check(label).map((c) => `validating label ${JSON.stringify(label)}: ${c}`),
      );
    }
  };
  if (domain.length > dns1123SubdomainMaxLength) errors.tooLong(path, dns1123SubdomainMaxLength);
  const labels = domain.split('.');
  firstWrong(labels, domain, isDNS1123Label);
  if (labels.length < 2) errors.invalid(path, domain, 'should be a domain with at least two segments separated by dots');
  firstWrong(signer.split('.'), signer, isDNS1123Subdomain);
  const maxLength = dns1123SubdomainMaxLength + maxPathLength + 1;
  if (name.length > maxLength) errors.tooLong(path, maxLength);
}
