import { printable } from './printable.ts';

/** Prints one line for each step, with its time; on a terminal the running step shows that it is at work. All of it is made printable. */
export interface Steps {
  run<T>(title: string, work: (note: (text: string) => void) => Promise<T>): Promise<T>;
  line(text?: string): void;
}

export function createSteps(out: NodeJS.WriteStream, nowMs: () => number): Steps {
  const tty = out.isTTY === true;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return {
    async run(name, work) {
      const title = printable(name);
      const started = nowMs();
      let note = '';
      const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
      let frame = 0;
      const draw = (): void => {
        out.write(`\r\x1b[2K${frames[frame++ % frames.length]} ${title}${note === '' ? '' : `: ${note}`} ${seconds(nowMs() - started)}`);
      };
      const timer = tty ? setInterval(draw, 100) : undefined;
      try {
        const result = await work((text) => {
          note = printable(text);
        });
        clearInterval(timer);
        out.write(`${tty ? '\r\x1b[2K' : ''}✓ ${title}${note === '' ? '' : `: ${note}`} (${seconds(nowMs() - started)})\n`);
        return result;
      } catch (error) {
        clearInterval(timer);
        out.write(`${tty ? '\r\x1b[2K' : ''}✗ ${title} (${seconds(nowMs() - started)})\n`);
        throw error;
      }
    },
    line(text = '') {
      out.write(`${printable(text)}\n`);
    },
  };
}
