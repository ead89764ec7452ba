// The chosen symbol in depth: its quote, and the bars of one interval. The history and the live channel are asked for
// at the same time; neither waits for the other.

import { signal } from '@preact/signals'
import { TapecastClient, type ClientOptions, type Delivered } from '../client/client.ts'
import type { Choice } from '../client/connector.ts'
import type { Bar, Quote } from '../client/messages.ts'
import { Candles } from './candles.ts'
import { FrameBuffer } from './frame.ts'
import { getBars } from './rest.ts'

const loaded = 1_000
const olderAtOnce = 1_000

/** What the chart has to do: draw all bars, or these. */
export type Drawing = 'all' | readonly Bar[]

export class Detail {
  readonly candles = new Candles()
  readonly quote = signal<Omit<Quote, 'type' | 'sym'> | undefined>(undefined)
  readonly loading = signal(true)
  readonly failure = signal<string | undefined>(undefined)
  /** Counts the changes of the bars, for what is drawn from them outside the chart. */
  readonly version = signal(0)
  readonly client: TapecastClient
  private readonly bars = new FrameBuffer<number, Bar>((changed) => {
    this.draw(changed.size > 50 ? 'all' : [...changed.values()].sort((a, b) => a.ts - b.ts))
  })
  private readonly quotes = new FrameBuffer<'quote', Omit<Quote, 'type' | 'sym'>>((changed) => {
    this.quote.value = changed.get('quote')
  })
  private readonly aborter = new AbortController()
  private listener: ((drawing: Drawing) => void) | undefined
  private exhausted = false
  private loadingOlder = false
  private staleDrawing = false

  constructor(
    readonly symbol: string,
    readonly interval: string,
    transport: Choice,
    listeners: Required<Pick<ClientOptions, 'onState' | 'onLevel'>>,
  ) {
    this.client = new TapecastClient({
      symbols: [symbol],
      channels: ['quotes', `bars:${interval}`],
      transport,
      onMessage: (m) => {
        this.take(m)
      },
      ...listeners,
    })
    void this.load()
  }

  /** One chart listens at a time; it is told to draw all first. */
  listen(listener: ((drawing: Drawing) => void) | undefined): void {
    this.listener = listener
    if (this.candles.last() !== undefined) this.draw('all')
  }

  hold(held: boolean): void {
    this.bars.hold(held)
    this.quotes.hold(held)
  }

  async load(): Promise<void> {
    this.loading.value = true
    await this.fetch(() => getBars(this.symbol, this.interval, { limit: loaded, signal: this.aborter.signal }))
    this.loading.value = false
  }

  /** Fetches what is before the first bar, when the chart is scrolled there. */
  async loadOlder(): Promise<void> {
    const first = this.candles.first()
    if (first === undefined || this.exhausted || this.loadingOlder) return
    this.loadingOlder = true
    const { signal } = this.aborter
    const got = await this.fetch(() =>
      getBars(this.symbol, this.interval, { limit: olderAtOnce, end: first.ts, signal }),
    )
    this.exhausted = got === undefined || this.candles.first() === first
    this.loadingOlder = false
  }

  close(): void {
    this.listener = undefined
    this.aborter.abort()
    this.client.close()
  }

  private async fetch(question: () => Promise<Bar[]>): Promise<Bar[] | undefined> {
    try {
      const bars = await question()
      this.candles.load(bars)
      this.failure.value = undefined
      this.draw('all')
      return bars
    } catch (error) {
      if (!this.aborter.signal.aborted) this.failure.value = error instanceof Error ? error.message : String(error)
      return undefined
    }
  }

  private take(m: Delivered): void {
    switch (m.type) {
      case 'bar':
        this.takeBar(m)
        break
      case 'quote':
        this.quotes.put('quote', m)
        break
      case 'snapshot':
        if (m.quote !== undefined) this.quotes.put('quote', m.quote)
        break
      case 'reset':
      case 'gap':
        void this.load()
        break
    }
  }

  private takeBar(bar: Bar): void {
    const place = this.candles.apply(bar)
    if (place === undefined) return
    // The chart can only be given its newest bar cheaply; a corrected older one is drawn with all the others.
    if (place === 'older') this.staleDrawing = true
    this.bars.put(bar.ts, bar)
  }

  private draw(drawing: Drawing): void {
    this.version.value++
    this.listener?.(this.staleDrawing ? 'all' : drawing)
    this.staleDrawing = false
  }
}
