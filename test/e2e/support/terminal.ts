import { spawn } from 'node:child_process';

/**
 * Runs a shell's line in a terminal of its own, types `input` into it, and waits for its end: 120 s at most. Returns what the terminal
 * showed, echoes included, with plain ends of lines.
 */
export function inTerminal(line: string, input: string): Promise<{ readonly code: number | null; readonly shown: string }> {
  return new Promise((resolve, reject) => {
    // The input stays open: its end would be typed as well.
    const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], { timeout: 120_000 });
    let shown = '';
    for (const output of [child.stdout, child.stderr])
      output.on('data', (d: Buffer) => {
        shown += d.toString();
      });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, shown: shown.replaceAll('\r\n', '\n') }));
    child.stdin.on('error', () => undefined);
    child.stdin.write(input);
  });
}
