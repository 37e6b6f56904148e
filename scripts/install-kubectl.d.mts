export function unpackUnstable(name: string): string;
export function ensureKubectl(): string;
