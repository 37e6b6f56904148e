import { expect, it } from 'vitest';
import { DescriptorBudget, descriptorLimit } from './budget.ts';

it('admits connections while two descriptors are free for each, and no group takes more than its share', () => {
  const budget = new DescriptorBudget(1_200);
  budget.addListeners(100);
  budget.addSessions(100);
  // 800 descriptors are left: 400 connections, 300 of them for one group.
  expect([budget.admits(299), budget.admits(300)]).toEqual([true, false]);
  budget.addConnections(399);
  expect(budget.admits(0)).toBe(true);
  budget.addConnections(1);
  expect([budget.admits(0), budget.admitsSession()]).toEqual([false, false]);
  budget.addConnections(-1);
  expect([budget.admits(0), budget.admitsSession()]).toEqual([true, true]);
});

it('gives UDP a quarter at most', () => {
  const budget = new DescriptorBudget(1_200);
  budget.addSessions(299);
  expect(budget.admitsSession()).toBe(true);
  budget.addSessions(1);
  expect(budget.admitsSession()).toBe(false);
});

it('knows the limit of the process', () => expect(descriptorLimit()).toBeGreaterThan(255));
