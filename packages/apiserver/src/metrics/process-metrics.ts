import { readdirSync } from 'node:fs';
import { Gauge, type Registry } from 'prom-client';

function openDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

/** What the process uses, read when it is asked for: an idle server does not wake up to measure itself. */
export function registerProcessMetrics(registers: Registry[], startedAtSeconds: number): void {
  const gauge = (name: string, help: string, read: () => number | undefined): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  };
  gauge('process_cpu_seconds_total', 'CPU time of user and system.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', 'When the process started.', () => startedAtSeconds);
  gauge('process_open_fds', 'Open file descriptors.', openDescriptors);
  gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => process.memoryUsage().heapUsed);
  gauge('nodejs_heap_size_total_bytes', 'Heap reserved.', () => process.memoryUsage().heapTotal);
}
