// The bars of one symbol and interval, from two sources that meet without a seam: history and the live channel. Where
// both have a bar, the newer version of it stays.

import type { Bar } from '../client/messages.ts'

export class Candles {
  private bars: Bar[] = []

  constructor(private readonly limit = 20_000) {}

  all(): readonly Bar[] {
    return this.bars
  }

  last(): Bar | undefined {
    return this.bars.at(-1)
  }

  first(): Bar | undefined {
    return this.bars[0]
  }

  /** Enters bars of the history, in ascending order; what is here already and newer stays. */
  load(history: readonly Bar[]): void {
    const merged = new Map(history.map((bar) => [bar.ts, bar]))
    for (const bar of this.bars) {
      const other = merged.get(bar.ts)
      if (other === undefined || !isNewer(other, bar)) merged.set(bar.ts, bar)
    }
    this.bars = [...merged.values()].sort((a, b) => a.ts - b.ts).slice(-this.limit)
  }

  /** Enters a live bar: 'last' if it is the newest now, 'older' if it changed one before, undefined if it is old news. */
  apply(bar: Bar): 'last' | 'older' | undefined {
    const at = this.find(bar.ts)
    const existing = this.bars[at]
    if (existing?.ts === bar.ts) {
      if (!isNewer(bar, existing)) return undefined
      this.bars[at] = bar
    } else {
      this.bars.splice(at, 0, bar)
      if (this.bars.length > this.limit) this.bars.shift()
    }
    return bar === this.last() ? 'last' : 'older'
  }

  at(ts: number): Bar | undefined {
    const bar = this.bars[this.find(ts)]
    return bar?.ts === ts ? bar : undefined
  }

  /** The place of the first bar that does not start before ts. Live bars are at the end, so that is tried first. */
  private find(ts: number): number {
    let low = 0
    let high = this.bars.length
    const last = this.last()
    if (last === undefined || last.ts < ts) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.bars[middle]?.ts ?? Infinity) < ts) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A correction raises rev; within a rev a closed bar is newer than an open one, and more trades are newer than fewer. */
function isNewer(bar: Bar, than: Bar): boolean {
  const revs = (bar.rev ?? 0) - (than.rev ?? 0)
  if (revs !== 0) return revs > 0
  const finals = Number(bar.final ?? false) - Number(than.final ?? false)
  if (finals !== 0) return finals > 0
  return (bar.seq ?? bar.n ?? 0) >= (than.seq ?? than.n ?? 0)
}
