import { describe, expect, it } from 'vitest'
import type { Bar } from '../src/client/messages.ts'
import { Candles } from '../src/page/candles.ts'

const bar = (ts: number, extra: Partial<Bar> = {}): Bar => ({ ts, o: 1, h: 1, l: 1, c: 1, v: 1, ...extra })
const starts = (candles: Candles) => candles.all().map((b) => b.ts)

describe('candles', () => {
  it('follow the live channel: the open bar is replaced, the next one added', () => {
    const candles = new Candles()
    candles.load([bar(60), bar(120, { seq: 5, final: false })])
    expect(candles.apply(bar(120, { seq: 9, c: 2 }))).toBe('last')
    expect(candles.apply(bar(180, { seq: 10 }))).toBe('last')
    expect(starts(candles)).toEqual([60, 120, 180])
    expect(candles.at(120)?.c).toBe(2)
  })

  it('meet history without a seam, whichever comes first', () => {
    const live = [bar(120, { seq: 9, final: true, c: 3 }), bar(180, { seq: 11, final: false })]
    const history = [bar(60), bar(120, { seq: 7, final: false, c: 2 })]
    const liveFirst = new Candles()
    for (const b of live) liveFirst.apply(b)
    liveFirst.load(history)
    const historyFirst = new Candles()
    historyFirst.load(history)
    for (const b of live) historyFirst.apply(b)
    expect(liveFirst.all()).toEqual(historyFirst.all())
    expect(liveFirst.at(120)?.c).toBe(3)
  })

  it('take a history that is newer than what is here', () => {
    const candles = new Candles()
    candles.apply(bar(60, { seq: 3, final: false }))
    candles.load([bar(60, { seq: 9, final: true, c: 4 })])
    expect(candles.last()?.c).toBe(4)
  })

  it('ignore old news: an open bar after its final one, fewer trades, a lower revision', () => {
    const candles = new Candles()
    candles.apply(bar(60, { seq: 9, final: true, rev: 1, c: 5 }))
    expect(candles.apply(bar(60, { seq: 9, final: false, rev: 1 }))).toBeUndefined()
    expect(candles.apply(bar(60, { seq: 8, final: true, rev: 1 }))).toBeUndefined()
    expect(candles.apply(bar(60, { seq: 99, final: true, rev: 0 }))).toBeUndefined()
    expect(candles.last()?.c).toBe(5)
  })

  it('take a correction of an older bar', () => {
    const candles = new Candles()
    candles.load([bar(60, { rev: 0, final: true }), bar(120)])
    expect(candles.apply(bar(60, { rev: 1, final: true, h: 7 }))).toBe('older')
    expect(candles.at(60)?.h).toBe(7)
  })

  it('put a bar that was missing in its place', () => {
    const candles = new Candles()
    candles.load([bar(60), bar(180)])
    expect(candles.apply(bar(120))).toBe('older')
    expect(starts(candles)).toEqual([60, 120, 180])
    expect(candles.at(90)).toBeUndefined()
  })

  it('put older pages before, and keep within the limit', () => {
    const candles = new Candles(3)
    candles.load([bar(180), bar(240)])
    candles.load([bar(60), bar(120)])
    expect(starts(candles)).toEqual([120, 180, 240])
    candles.apply(bar(300))
    expect(starts(candles)).toEqual([180, 240, 300])
  })
})
