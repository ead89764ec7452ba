// What the page knows of each symbol. Messages change it at once, the screen follows at the next frame: one signal per
// symbol, so that a tick touches the text of one row and nothing else.

import { signal, type Signal } from '@preact/signals'
import type { Delivered } from '../client/client.ts'
import type { Agg, Side, Snapshot, Trade } from '../client/messages.ts'
import { decimalsOf } from './format.ts'
import { FrameBuffer } from './frame.ts'

const dayMicros = 86_400_000_000
const sparkPoints = 60
const tapeRows = 50

export interface Instrument {
  sym: string
  name?: string
  class?: string
  decimals: number
}

/** A symbol at one moment. `open` is the day's first price, `move` the last change of price. */
export interface Row {
  price: number
  move: number
  open: number
  high: number
  low: number
  volume: number
  ts: number
  halted: boolean
}

/** The live state of a symbol, and what is painted of it. */
export interface Listing {
  sym: string
  row: Signal<Row | undefined>
  /** Closing prices of the last minutes, the oldest first; the last one follows the price. */
  spark: Signal<readonly number[]>
  /** The latest trades, the newest first. */
  tape: Signal<readonly Print[]>
  state: Row | undefined
  prints: Print[]
}

interface Prices {
  o: number
  h: number
  l: number
  c: number
}

/** A line of the trade tape: a trade, or n of them merged. */
export interface Print {
  seq: number
  ts: number
  price: number
  size: number
  side: Side | undefined
  /** Of a merged line; `price` is the last. */
  merged: (Omit<Prices, 'c'> & { n: number }) | undefined
}

export class Market {
  readonly instruments = signal<ReadonlyMap<string, Instrument>>(new Map())
  /** The symbols by class, each in the node's order; those it has not told of yet come in the order of arrival. */
  readonly symbols = signal<readonly string[]>([])
  readonly buffer = new FrameBuffer<string, Row>((changed) => {
    for (const [sym, row] of changed) {
      const listing = this.listing(sym)
      listing.row.value = { ...row }
      listing.tape.value = [...listing.prints]
    }
  })
  private readonly arrived = new Set<string>()
  private readonly listings = new Map<string, Listing>()

  listing(sym: string): Listing {
    let listing = this.listings.get(sym)
    if (listing === undefined) {
      listing = { sym, row: signal(undefined), spark: signal([]), tape: signal([]), state: undefined, prints: [] }
      this.listings.set(sym, listing)
    }
    return listing
  }

  name(instruments: readonly Instrument[]): void {
    this.instruments.value = new Map(instruments.map((i) => [i.sym, i]))
    const classes = [...new Set(instruments.map((i) => i.class))]
    const named = classes.flatMap((kind) => instruments.filter((i) => i.class === kind).map((i) => i.sym))
    const others = this.symbols.value.filter((sym) => !this.instruments.value.has(sym))
    this.symbols.value = [...named, ...others]
  }

  decimals(sym: string): number {
    return this.instruments.value.get(sym)?.decimals ?? decimalsOf(this.listings.get(sym)?.row.value?.price ?? 0)
  }

  take(m: Delivered): void {
    if (m.type === 'snapshot') this.snapshot(m)
    else if (m.type === 'trade') this.trade(m, { o: m.p, h: m.p, l: m.p, c: m.p })
    else if (m.type === 'agg') this.trade(m, m)
    else if (m.type === 'status') this.halt(m.sym, m.state === 'halted')
  }

  /** Once a minute the sparkline gets a new point; between, its last one follows the price. */
  sparkTick(newMinute: boolean): void {
    for (const { spark, row } of this.listings.values()) {
      const price = row.value?.price
      if (price === undefined) continue
      const points = spark.value
      if (!newMinute && points.at(-1) === price) continue
      spark.value = [...(newMinute ? points.slice(1 - sparkPoints) : points.slice(0, -1)), price]
    }
  }

  /** Puts history before what has been seen live. */
  sparkHistory(sym: string, closes: readonly number[]): void {
    const listing = this.listing(sym)
    listing.spark.value = [...closes, ...listing.spark.value.slice(-1)].slice(-sparkPoints)
  }

  private snapshot({ sym, trade, day, status }: Snapshot): void {
    const price = trade?.p ?? day?.c
    if (price === undefined) return
    const listing = this.known(sym)
    listing.state = {
      price,
      move: 0,
      open: day?.o ?? price,
      high: day?.h ?? price,
      low: day?.l ?? price,
      volume: day?.v ?? 0,
      ts: trade?.ts ?? day?.ts ?? 0,
      halted: status?.state === 'halted',
    }
    this.buffer.put(sym, listing.state)
  }

  private trade(m: Trade | Agg, { o: open, h: high, l: low, c: price }: Prices): void {
    const listing = this.known(m.sym)
    const { ts, v: volume } = m
    const { state } = listing
    this.print(listing, m, price)
    if (state === undefined || Math.floor(ts / dayMicros) > Math.floor(state.ts / dayMicros)) {
      const move = state === undefined ? 0 : price - state.price
      listing.state = { price, move, open, high, low, volume, ts, halted: state?.halted ?? false }
      this.buffer.put(m.sym, listing.state)
      return
    }
    if (price !== state.price) state.move = price - state.price
    state.price = price
    state.high = Math.max(state.high, high)
    state.low = Math.min(state.low, low)
    state.volume += volume
    state.ts = ts
    this.buffer.put(m.sym, state)
  }

  private print(listing: Listing, m: Trade | Agg, price: number): void {
    const print: Print = { seq: m.seq, ts: m.ts, price, size: m.v, side: undefined, merged: undefined }
    if (m.type === 'trade') print.side = m.side
    else if (m.n > 1) print.merged = { n: m.n, o: m.o, h: m.h, l: m.l }
    listing.prints.unshift(print)
    if (listing.prints.length > tapeRows) listing.prints.pop()
  }

  private halt(sym: string, halted: boolean): void {
    const { state } = this.known(sym)
    if (state === undefined) return
    state.halted = halted
    this.buffer.put(sym, state)
  }

  private known(sym: string): Listing {
    if (!this.arrived.has(sym)) {
      this.arrived.add(sym)
      if (!this.instruments.value.has(sym)) this.symbols.value = [...this.symbols.value, sym]
    }
    return this.listing(sym)
  }
}
