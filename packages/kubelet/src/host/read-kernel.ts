import { readFileSync } from 'node:fs';

/**
 * A file below /proc or /sys, trimmed; '' where there is none. The kernel makes it up when it is read, so it is read at once: handing it to
 * a thread and back, five times a file, is what an idle kubelet would do most.
 */
export function readKernel(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
