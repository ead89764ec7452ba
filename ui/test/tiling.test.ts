import { describe, expect, it } from 'vitest'
import type { Agg, Gap, Quote, Trade } from '../src/client/messages.ts'
import { Tiling } from '../src/client/tiling.ts'

const trade = (seq: number, sym = 'AAPL'): Trade => ({ type: 'trade', sym, seq, ts: seq, p: 1, v: 2 })
const quote = (seq: number, first?: number): Quote => ({
  type: 'quote',
  sym: 'AAPL',
  seq,
  ts: seq,
  bp: 1,
  bv: 1,
  ap: 2,
  av: 1,
  ...(first === undefined ? {} : { first }),
})
const agg = (first: number, seq: number, n = seq - first + 1): Agg => ({
  type: 'agg',
  sym: 'AAPL',
  first,
  seq,
  t0: first,
  ts: seq,
  n,
  o: 1,
  h: 1,
  l: 1,
  c: 1,
  v: n * 2,
})
const gap = (seq: number, first?: number): Gap => ({
  type: 'gap',
  sym: 'AAPL',
  channel: 'trades',
  seq,
  reason: 'retention',
  ...(first === undefined ? {} : { first }),
})

describe('tiling', () => {
  it('takes ranges that follow each other, and sums them', () => {
    const tiling = new Tiling()
    for (const m of [trade(7), agg(8, 12), trade(13), quote(3), quote(6, 4)]) expect(tiling.apply(m)).toBe(true)
    expect(tiling.report()).toMatchObject({ holes: 0, overlaps: 0, badSums: 0, n: 7, v: 14, watched: 2 })
  })

  it('finds a hole and its width', () => {
    const tiling = new Tiling()
    tiling.apply(trade(1))
    expect(tiling.apply(agg(4, 6))).toBe(true)
    expect(tiling.report()).toMatchObject({ holes: 1, missing: 2, problems: ['AAPL trades: 2..3 never came'] })
  })

  it('finds what comes again, and does not deliver it', () => {
    const tiling = new Tiling()
    tiling.apply(trade(5))
    expect(tiling.apply(trade(5))).toBe(false)
    expect(tiling.apply(agg(4, 9))).toBe(true)
    expect(tiling.report()).toMatchObject({ overlaps: 2, repeats: 0 })
    expect(tiling.last('AAPL', 'trades')).toBe(9)
  })

  it('lets come again what may, after a resume by cursor, until the first that is new', () => {
    const tiling = new Tiling()
    for (let seq = 1; seq <= 4; seq++) tiling.apply(trade(seq))
    tiling.resumed()
    expect([2, 3, 4, 5].map((seq) => tiling.apply(trade(seq)))).toEqual([false, false, false, true])
    expect(tiling.report()).toMatchObject({ overlaps: 0, repeats: 3 })
    tiling.apply(trade(5))
    expect(tiling.report().overlaps).toBe(1)
  })

  it('takes a gap for its range, and one without a first from the last seq on', () => {
    const tiling = new Tiling()
    tiling.apply(trade(1))
    expect(tiling.apply(gap(9, 2))).toBe(true)
    expect(tiling.apply(trade(10))).toBe(true)
    expect(tiling.apply(gap(20))).toBe(true)
    expect(tiling.apply(trade(21))).toBe(true)
    expect(tiling.report()).toMatchObject({ holes: 0, overlaps: 0, gaps: 2, gapSeqs: 18 })
  })

  it('does not let a gap hide a hole before it', () => {
    const tiling = new Tiling()
    tiling.apply(trade(1))
    tiling.apply(gap(9, 4))
    expect(tiling.report()).toMatchObject({ holes: 1, missing: 2, gaps: 1, gapSeqs: 6 })
  })

  it('starts where a snapshot says', () => {
    const tiling = new Tiling()
    tiling.snapshot({ type: 'snapshot', sym: 'AAPL', trade: { seq: 41, ts: 1, p: 1, v: 1 } })
    tiling.apply(trade(43))
    expect(tiling.report()).toMatchObject({ holes: 1, missing: 1 })
  })

  it('counts a snapshot that jumps over numbers without a reset', () => {
    const tiling = new Tiling()
    tiling.apply(trade(1))
    tiling.snapshot({ type: 'snapshot', sym: 'AAPL', trade: { seq: 5, ts: 1, p: 1, v: 1 } })
    expect(tiling.report()).toMatchObject({ holes: 1, missing: 4 })
  })

  it('numbers statuses, corrections and cancels together', () => {
    const tiling = new Tiling()
    const sym = 'AAPL'
    tiling.apply({ type: 'status', sym, seq: 1, ts: 1, state: 'halted' })
    tiling.apply({ type: 'cancel', sym, seq: 2, ref: 9, ts: 2 })
    tiling.apply({ type: 'correction', sym, seq: 4, ref: 9, ts: 3 })
    expect(tiling.report()).toMatchObject({ holes: 1, missing: 1, watched: 1 })
  })

  it('gives what to skip for the channels that are subscribed', () => {
    const tiling = new Tiling()
    tiling.apply(trade(3))
    tiling.apply(quote(8))
    tiling.apply(trade(5, 'MSFT'))
    expect(tiling.since(['trades', 'bars:1m'])).toEqual({ AAPL: { trades: 3 }, MSFT: { trades: 5 } })
  })

  it('begins anew after a restart, and keeps the counts of breaks', () => {
    const tiling = new Tiling(1)
    tiling.apply(trade(3))
    tiling.apply(trade(5))
    tiling.restart(2)
    tiling.apply(trade(1))
    expect(tiling.report()).toMatchObject({ startedAt: 2, restarts: 1, holes: 1, watched: 1 })
  })

  it('finds an agg whose count is not its width', () => {
    const tiling = new Tiling()
    tiling.apply(agg(1, 5, 4))
    expect(tiling.report().badSums).toBe(1)
  })
})
