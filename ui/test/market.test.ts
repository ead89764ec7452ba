import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Trade } from '../src/client/messages.ts'
import { Market } from '../src/page/market.ts'

const day = 86_400_000_000
let market: Market
let frames: (() => void)[]

beforeEach(() => {
  frames = []
  vi.stubGlobal('requestAnimationFrame', (flush: () => void) => frames.push(flush))
  market = new Market()
})

const frame = () => {
  for (const flush of frames.splice(0)) flush()
}
const trade = (p: number, v: number, ts = 20 * day + 5, seq = 1): Trade => ({
  type: 'trade',
  sym: 'AAPL',
  seq,
  ts,
  p,
  v,
})
const row = () => market.listing('AAPL').row.value

describe('the market', () => {
  it('shows a snapshot, then each change at the next frame', () => {
    market.take({
      type: 'snapshot',
      sym: 'AAPL',
      trade: { seq: 1, ts: 20 * day + 1, p: 102, v: 5 },
      day: { ts: 20 * day, o: 100, h: 103, l: 99, c: 102, v: 50 },
    })
    expect(row()).toBeUndefined()
    frame()
    expect(row()).toMatchObject({ price: 102, open: 100, high: 103, low: 99, volume: 50, move: 0 })
    market.take(trade(104, 7))
    market.take(trade(101, 3))
    frame()
    expect(row()).toMatchObject({ price: 101, move: -3, open: 100, high: 104, volume: 60 })
  })

  it('adds what an agg merged', () => {
    market.take(trade(100, 1))
    market.take({
      ...{ type: 'agg', sym: 'AAPL', first: 2, seq: 9, t0: 20 * day + 6, ts: 20 * day + 7 },
      ...{ n: 8, o: 100, h: 109, l: 95, c: 101, v: 40 },
    })
    frame()
    expect(row()).toMatchObject({ price: 101, high: 109, low: 95, volume: 41 })
    const merged = { n: 8, o: 100, h: 109, l: 95 }
    expect(market.listing('AAPL').tape.value[0]).toEqual({
      ...{ seq: 9, ts: 20 * day + 7, price: 101, size: 40, side: undefined },
      merged,
    })
  })

  it('shows an agg of one trade as a trade, and lets a day begin with an agg', () => {
    market.take(trade(90, 1))
    market.take({
      ...{ type: 'agg', sym: 'AAPL', first: 2, seq: 2, t0: 21 * day, ts: 21 * day },
      ...{ n: 1, o: 100, h: 100, l: 100, c: 100, v: 4 },
    })
    market.take({
      ...{ type: 'agg', sym: 'AAPL', first: 3, seq: 4, t0: 22 * day, ts: 22 * day + 1 },
      ...{ n: 2, o: 70, h: 80, l: 70, c: 80, v: 6 },
    })
    frame()
    expect(row()).toMatchObject({ price: 80, open: 70, high: 80, low: 70, volume: 6 })
    expect(market.listing('AAPL').tape.value[1]).toMatchObject({ price: 100, size: 4, merged: undefined })
  })

  it('begins a new day with its first trade', () => {
    market.take(trade(100, 9))
    market.take(trade(110, 2, 21 * day + 1))
    frame()
    expect(row()).toMatchObject({ open: 110, high: 110, low: 110, volume: 2, move: 10 })
  })

  it('keeps the latest fifty trades, the newest first', () => {
    for (let seq = 1; seq <= 60; seq++) market.take(trade(seq, 1, 20 * day + seq, seq))
    frame()
    const { value } = market.listing('AAPL').tape
    expect([value.length, value[0]?.seq, value.at(-1)?.seq]).toEqual([50, 60, 11])
  })

  it("lists symbols by class in the node's order, strangers last", () => {
    market.take({ ...trade(1, 1), sym: 'ZZZ' })
    market.take(trade(1, 1))
    expect(market.symbols.value).toEqual(['ZZZ', 'AAPL'])
    market.name([
      { sym: 'MSFT', decimals: 2, class: 'stock' },
      { sym: 'BTCUSDT', decimals: 2, class: 'crypto' },
      { sym: 'AAPL', decimals: 3, class: 'stock' },
    ])
    market.take({ ...trade(1, 1), sym: 'MSFT' })
    expect(market.symbols.value).toEqual(['MSFT', 'AAPL', 'BTCUSDT', 'ZZZ'])
    expect(market.decimals('AAPL')).toBe(3)
  })

  it('marks a halt', () => {
    market.take(trade(1, 1))
    market.take({ type: 'status', sym: 'AAPL', seq: 1, ts: 1, state: 'halted', reason: 'LULD' })
    frame()
    expect(row()?.halted).toBe(true)
  })

  it('lets the end of a sparkline follow the price, and adds a point each minute', () => {
    market.take(trade(10, 1))
    frame()
    market.sparkTick(false)
    market.sparkHistory('AAPL', [7, 8, 9])
    market.take(trade(11, 1))
    frame()
    market.sparkTick(false)
    expect(market.listing('AAPL').spark.value).toEqual([7, 8, 9, 11])
    market.sparkTick(true)
    expect(market.listing('AAPL').spark.value).toEqual([7, 8, 9, 11, 11])
  })
})
