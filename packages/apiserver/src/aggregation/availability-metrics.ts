import { Counter, Gauge, type Registry } from 'prom-client';

/** Upstream's metrics of the aggregator; alerts are made of them. */
export interface AvailabilityMetrics {
  readonly unavailable: Gauge<'name'>;
  readonly becameUnavailable: Counter<'name' | 'reason'>;
}

export const createAvailabilityMetrics = (registers: Registry[]): AvailabilityMetrics => ({
  unavailable: new Gauge({
    name: 'aggregator_unavailable_apiservice',
    help: '1 for each APIService that is not available.',
    labelNames: ['name'],
    registers,
  }),
  becameUnavailable: new Counter({
    name: 'aggregator_unavailable_apiservice_total',
    help: 'How often APIServices became unavailable, by reason.',
    labelNames: ['name', 'reason'],
    registers,
  }),
});
