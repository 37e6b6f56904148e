import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createHoldBack } from './hold-back.ts';

const address = '192.0.2.10';

describe('an address that was lost', () => {
  /** Loses the address to b and answers for how many seconds it is left to it. */
  async function lose(holdBack: ReturnType<typeof createHoldBack>, clock: FakeClock): Promise<number> {
    holdBack.sees(address, 'a');
    expect(holdBack.sees(address, 'b')).toBe(true);
    for (let seconds = 0; ; seconds++) {
      if (!holdBack.isLeftTo(address, 'b')) return seconds;
      await clock.advance(1_000);
    }
  }
  it('is left to the winner, longer each time, until losses are rare', async () => {
    const clock = new FakeClock();
    const holdBack = createHoldBack({ me: 'a' }, { clock });
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) waits.push(await lose(holdBack, clock));
    expect(waits).toEqual([60, 120, 240, 480, 600, 600]);
    await clock.advance(3_700_000);
    expect(await lose(holdBack, clock)).toBe(60);
  });
  it('is left to nobody else, and only when it was held', () => {
    const holdBack = createHoldBack({ me: 'a' }, { clock: new FakeClock() });
    expect(holdBack.sees(address, 'b')).toBe(false);
    expect(holdBack.isLeftTo(address, 'b')).toBe(false);
    holdBack.sees(address, 'a');
    expect(holdBack.sees(address, 'b')).toBe(true);
    expect(holdBack.sees(address, 'b')).toBe(false);
    expect(holdBack.isLeftTo(address, 'c')).toBe(false);
    expect(holdBack.isLeftTo(address, 'b')).toBe(true);
    holdBack.keep(new Set());
    expect(holdBack.isLeftTo(address, 'b')).toBe(false);
  });
});
