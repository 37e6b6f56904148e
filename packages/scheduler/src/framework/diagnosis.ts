import type { Rejection } from './verdict.ts';

/** Why a pod fits nowhere: everything that every plugin said. */
export interface Diagnosis {
  readonly nodeCount: number;
  /** What all nodes have against it, when a preFilter said so. */
  preFilterMessage: string | undefined;
  readonly rejections: Map<string, Rejection & { readonly plugin: string }>;
  /** What stands for the nodes that were not looked at. */
  absent: Rejection | undefined;
  /** Plugins whose events may bring the pod back. */
  readonly rejectedBy: Set<string>;
  postFilterMessage: string | undefined;
}

export const newDiagnosis = (nodeCount: number): Diagnosis => ({
  nodeCount,
  preFilterMessage: undefined,
  rejections: new Map(),
  absent: undefined,
  rejectedBy: new Set(),
  postFilterMessage: undefined,
});

/** The message that people and tools know: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: …` */
export function formatDiagnosis(diagnosis: Diagnosis): string {
  let message = `0/${diagnosis.nodeCount} nodes are available:`;
  if (diagnosis.preFilterMessage !== undefined) message += ` ${diagnosis.preFilterMessage}.`;
  else {
    const counts = new Map<string, number>();
    const count = (text: string, nodes: number): void => void counts.set(text, (counts.get(text) ?? 0) + nodes);
    for (const { reasons } of diagnosis.rejections.values()) for (const { text } of reasons) count(text, 1);
    const absentNodes = diagnosis.nodeCount - diagnosis.rejections.size;
    if (absentNodes > 0) for (const { text } of diagnosis.absent?.reasons ?? []) count(text, absentNodes);
    const lines = [...counts].map(([text, nodes]) => `${nodes} ${text}`).sort(byBytes);
    if (lines.length > 0) message += ` ${lines.join(', ')}.`;
  }
  return diagnosis.postFilterMessage ? `${message} ${diagnosis.postFilterMessage}` : message;
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
