// Counters of one client. The browser does not see the bytes on the wire (framing, compression), so bytes are those of
// the payload: the length of the text, which for this protocol's ASCII is its bytes.

const samplesKept = 1024

export interface Percentiles {
  p50: number
  p99: number
  samples: number
}

export class Stats {
  messages = 0
  bytes = 0
  reconnects = 0
  private readonly samples = new Float64Array(samplesKept)
  private taken = 0

  /** Enters the age of a message that was just received: `ts` in microseconds, from the node's clock. */
  age(ts: number): void {
    this.samples[this.taken++ % samplesKept] = nowMicros() - ts
  }

  /** Milliseconds between the event's time on the tape and its arrival here, over the last 1,024 messages. Two clocks
   * are compared, so on another machine their offset is in it. */
  latency(): Percentiles | undefined {
    const samples = Math.min(this.taken, samplesKept)
    if (samples === 0) return undefined
    const sorted = this.samples.slice(0, samples).sort()
    return { p50: at(sorted, 0.5) / 1000, p99: at(sorted, 0.99) / 1000, samples }
  }
}

/** Wall time in microseconds, finer than Date.now(). */
export function nowMicros(): number {
  return (performance.timeOrigin + performance.now()) * 1000
}

function at(sorted: Float64Array, quantile: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0
}
