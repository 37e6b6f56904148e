import { maxNodeScore, type SchedulerPlugin } from '../framework/plugin.ts';
import { ok, skip } from '../framework/verdict.ts';

/**
 * Prefers nodes whose shares of used cpu and memory come closer to each other with the pod on them. 75 = no difference. Pods that
 * request nothing are left out: they would all go to one node.
 */
export const nodeResourcesBalancedAllocation: SchedulerPlugin = {
  name: 'NodeResourcesBalancedAllocation',
  preScore: ({ requests }) => (requests.milliCpu === 0 && requests.memory === 0 ? skip : ok),
  score: ({ requests }, { requested, allocatable }) => {
    const balance = (milliCpu: number, memory: number): number => {
      if (allocatable.milliCpu === 0 || allocatable.memory === 0) return maxNodeScore;
      const cpuShare = Math.min(1, milliCpu / allocatable.milliCpu);
      const memoryShare = Math.min(1, memory / allocatable.memory);
      return Math.trunc((1 - Math.abs((cpuShare - memoryShare) / 2)) * maxNodeScore);
    };
    const without = balance(requested.milliCpu, requested.memory);
    const withPod = balance(requested.milliCpu + requests.milliCpu, requested.memory + requests.memory);
    return maxNodeScore / 2 + Math.trunc((maxNodeScore / 2 + withPod - without) / 2);
  },
};
