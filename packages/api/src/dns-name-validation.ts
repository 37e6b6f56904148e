import { type FieldErrors, isDNS1123Label, isDNS1123Subdomain } from '@skiff/apimachinery';

/** A host name of at least two labels; one dot may follow. */
export function validateFullyQualifiedDomainName(text: string, path: string, errors: FieldErrors): void {
  if (text === '') return errors.required(path);
  const name = text.replace(/\.$/, '');
  const complaints = isDNS1123Subdomain(name);
  if (complaints.length > 0) return errors.invalid(path, name, complaints.join(','));
  const labels = name.split('.');
  if (labels.length < 2) return errors.invalid(path, name, 'should be a domain with at least two segments separated by dots');
  for (const label of labels) {
    const wrong = isDNS1123Label(label);
    if (wrong.length > 0) errors.invalid(path, label, wrong.join(','));
  }
}
