/**
 * The sandbox's process as a static ELF file, emitted here so that no image has to be fetched and nothing has to be compiled:
 *
 *   block {INT, TERM, CHLD}
 *   for (;;) switch (wait for one of them) { CHLD: reap all dead children; INT, TERM: exit(0) }
 *
 * A blocked signal stays pending even for PID 1 without a handler (signal(7)), so no handler is needed.
 */
export type PauseArchitecture = 'amd64' | 'arm64';

/** Bits of SIGINT (2), SIGTERM (15) and SIGCHLD (17) in a kernel sigset. */
const signalSet = (1n << 1n) | (1n << 14n) | (1n << 16n);
const headerBytes = 64 + 56;
const loadAddress = 0x400000n;

/** Machine code whose jumps and addresses refer to labels. */
class Assembler {
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; label: string; patch: (delta: number, at: number) => void }[] = [];

  get position(): number {
    return this.#bytes.length;
  }
  bytes(...values: readonly number[]): this {
    this.#bytes.push(...values);
    return this;
  }
  word32(value: number): this {
    return this.bytes(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255);
  }
  label(name: string): this {
    this.#labels.set(name, this.position);
    return this;
  }
  fixup(label: string, patch: (delta: number, at: number) => void): void {
    this.#fixups.push({ at: this.position, label, patch });
  }
  poke(at: number, value: number): void {
    this.#bytes[at] = value & 255;
  }
  finish(): Buffer {
    for (const f of this.#fixups) {
      const target = this.#labels.get(f.label);
      if (target === undefined) throw new Error(`no label ${f.label}`);
      f.patch(target - f.at, f.at);
    }
    return Buffer.from(this.#bytes);
  }
}

function assembleAmd64(): Buffer {
  const a = new Assembler();
  const movImm = (opcode: readonly number[], value: number): void => void a.bytes(...opcode).word32(value);
  const leaSet = (modrm: number): void => {
    a.bytes(0x48, 0x8d, modrm);
    a.fixup('set', (delta, at) => {
      const d = delta - 4;
      for (let i = 0; i < 4; i++) a.poke(at + i, d >> (8 * i));
    });
    a.word32(0);
  };
  const jump = (opcode: number, label: string): void => {
    a.bytes(opcode);
    a.fixup(label, (delta, at) => a.poke(at, delta - 1));
    a.bytes(0);
  };
  const eax = [0xb8];
  const edx = [0xba];
  const r10d = [0x41, 0xba];
  const edi = [0xbf];
  const syscall = (): void => void a.bytes(0x0f, 0x05);
  const zeroEdi = (): void => void a.bytes(0x31, 0xff);
  const zeroEsi = (): void => void a.bytes(0x31, 0xf6);
  const zeroEdx = (): void => void a.bytes(0x31, 0xd2);

  movImm(eax, 14); // rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
  zeroEdi();
  leaSet(0x35);
  zeroEdx();
  movImm(r10d, 8);
  syscall();
  a.label('loop');
  movImm(eax, 128); // rt_sigtimedwait(set, NULL, NULL, 8)
  leaSet(0x3d);
  zeroEsi();
  zeroEdx();
  movImm(r10d, 8);
  syscall();
  a.bytes(0x83, 0xf8, 17); // cmp eax, SIGCHLD
  jump(0x74, 'reap');
  a.bytes(0x85, 0xc0); // interrupted: wait again
  jump(0x78, 'loop');
  zeroEdi();
  movImm(eax, 60); // exit(0)
  syscall();
  a.label('reap');
  movImm(eax, 61); // wait4(-1, NULL, WNOHANG, NULL)
  movImm(edi, -1);
  zeroEsi();
  movImm(edx, 1);
  movImm(r10d, 0);
  syscall();
  a.bytes(0x85, 0xc0);
  jump(0x7f, 'reap');
  jump(0xeb, 'loop');
  return finishWithSet(a);
}

function assembleArm64(): Buffer {
  const a = new Assembler();
  const movz = (register: number, value: number): void => void a.word32((0xd2800000 | (value << 5) | register) >>> 0);
  const patch32 = (at: number, value: number): void => {
    for (let i = 0; i < 4; i++) a.poke(at + i, value >>> (8 * i));
  };
  const adrSet = (register: number): void => {
    a.fixup('set', (delta, at) => patch32(at, (0x10000000 | ((delta & 3) << 29) | ((delta >> 2) << 5) | register) >>> 0));
    a.word32(0);
  };
  const branch = (label: string, encode: (words: number) => number): void => {
    a.fixup(label, (delta, at) => patch32(at, encode(delta >> 2) >>> 0));
    a.word32(0);
  };
  const svc = (): void => void a.word32(0xd4000001);
  const compareW0 = (value: number): void => void a.word32((0x7100001f | (value << 10)) >>> 0);

  movz(8, 135); // rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
  movz(0, 0);
  adrSet(1);
  movz(2, 0);
  movz(3, 8);
  svc();
  a.label('loop');
  movz(8, 137); // rt_sigtimedwait(set, NULL, NULL, 8)
  adrSet(0);
  movz(1, 0);
  movz(2, 0);
  movz(3, 8);
  svc();
  compareW0(17);
  branch('reap', (w) => 0x54000000 | ((w & 0x7ffff) << 5)); // b.eq
  branch('loop', (w) => 0x37000000 | (31 << 19) | ((w & 0x3fff) << 5)); // tbnz w0, #31
  movz(0, 0);
  movz(8, 93); // exit(0)
  svc();
  a.label('reap');
  movz(8, 260); // wait4(-1, NULL, WNOHANG, NULL)
  a.word32(0x92800000); // movn x0, #0
  movz(1, 0);
  movz(2, 1);
  movz(3, 0);
  svc();
  compareW0(0);
  branch('reap', (w) => 0x54000000 | ((w & 0x7ffff) << 5) | 0xc); // b.gt
  branch('loop', (w) => 0x14000000 | (w & 0x3ffffff));
  return finishWithSet(a);
}

function finishWithSet(a: Assembler): Buffer {
  while (a.position % 8 !== 0) a.bytes(0);
  a.label('set');
  for (let i = 0n; i < 8n; i++) a.bytes(Number((signalSet >> (8n * i)) & 255n));
  return a.finish();
}

const machines: Readonly<Record<PauseArchitecture, { elf: number; assemble: () => Buffer }>> = {
  amd64: { elf: 62, assemble: assembleAmd64 },
  arm64: { elf: 183, assemble: assembleArm64 },
};

export const isPauseArchitecture = (name: string): name is PauseArchitecture => name in machines;

/** A complete executable: ELF header, one loadable segment, code. A few hundred bytes. */
export function emitPauseProgram(architecture: PauseArchitecture): Buffer {
  const { elf, assemble } = machines[architecture];
  const code = assemble();
  const size = BigInt(headerBytes + code.length);
  const header = Buffer.alloc(headerBytes);
  header.write('\x7fELF', 0, 'latin1');
  header.set([2, 1, 1, 0], 4); // 64 bit, little endian, version 1, System V
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(elf, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(loadAddress + BigInt(headerBytes), 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // readable, executable
  header.writeBigUInt64LE(0n, 72);
  header.writeBigUInt64LE(loadAddress, 80);
  header.writeBigUInt64LE(loadAddress, 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x10000n, 112);
  return Buffer.concat([header, code]);
}
