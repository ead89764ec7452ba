// What the page does: one client for the watchlist (the trades of all symbols, for as long as the page is seen), one
// for the chosen symbol (its quotes and bars, made anew when the choice changes).

import { batch, computed, effect, signal, untracked } from '@preact/signals'
import { TapecastClient, type Delivered } from '../client/client.ts'
import type { Choice, ConnectionState } from '../client/connector.ts'
import { coarser, type Level } from '../client/level.ts'
import { Detail } from './detail.ts'
import { Market } from './market.ts'
import { Meter } from './meter.ts'
import { getBars, getInstruments } from './rest.ts'
import { applyTheme } from './theme.ts'
import { readURL, writeURL, type Theme, type Timeframe } from './url.ts'

const sparkPoints = 60
// A page out of sight for this long gives its connections up: over HTTP/1.1 a browser has only six for all its tabs.
const hiddenMs = 30_000

export class Session {
  readonly market = new Market()
  readonly meter = new Meter()
  readonly symbol = signal('')
  readonly interval = signal<Timeframe>('1m')
  readonly transport = signal<Choice>('auto')
  readonly theme = signal<Theme>('system')
  readonly paused = signal(false)
  /** Whether a screen reader is told the chosen price now and then. */
  readonly announce = signal(false)
  readonly detail = signal<Detail | undefined>(undefined)
  readonly problem = signal<string | undefined>(undefined)
  private readonly listState = signal<ConnectionState | undefined>(undefined)
  private readonly detailState = signal<ConnectionState | undefined>(undefined)
  /** The worse of the two connections: the page is as live as its less live half. */
  readonly connection = computed(() => worse(this.listState.value, this.detailState.value))
  private readonly listLevel = signal<Level | undefined>(undefined)
  private readonly detailLevel = signal<Level | undefined>(undefined)
  /** What the node gives because the line is slow, the coarser of the two connections; undefined when it gives all. */
  readonly adapted = computed(() => coarsest([this.listLevel.value, this.detailLevel.value]))
  private list: TapecastClient | undefined
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined
  private minute = 0

  constructor() {
    const asked = readURL(location.search)
    batch(() => {
      this.symbol.value = asked.symbol
      this.interval.value = asked.interval
      this.transport.value = asked.transport
      this.theme.value = asked.theme
    })
    this.openList()
    effect(() => {
      this.openDetail(this.symbol.value, this.interval.value)
    })
    effect(() => {
      this.writeLink()
    })
    effect(() => {
      applyTheme(this.theme.value)
    })
    effect(() => {
      this.market.buffer.hold(this.paused.value)
      this.detail.value?.hold(this.paused.value)
    })
    this.watchPage()
    setInterval(() => {
      this.everySecond()
    }, 1000)
    void this.introduce()
  }

  clients(): TapecastClient[] {
    return [this.list, this.detail.peek()?.client].filter((client) => client !== undefined)
  }

  use(transport: Choice): void {
    this.transport.value = transport
    for (const client of this.clients()) void client.use(transport)
  }

  retryNow(): void {
    for (const client of this.clients()) client.retryNow()
  }

  private openList(): void {
    this.list = new TapecastClient({
      symbols: ['*'],
      channels: ['trades'],
      transport: this.transport.peek(),
      onMessage: (m) => {
        this.takeList(m)
      },
      onState: (state) => {
        this.listState.value = state
      },
      onLevel: (level) => {
        this.listLevel.value = level
      },
    })
  }

  private openDetail(symbol: string, interval: Timeframe): void {
    untracked(() => {
      this.closeDetail()
      // Where auto has found that its first transports do not work here, a new client need not find it again.
      const list = this.listState.value
      const works = list?.fellBack === undefined ? this.transport.value : list.transport
      this.detail.value = new Detail(symbol, interval, works, {
        onState: (state) => {
          this.detailState.value = state
        },
        onLevel: (level) => {
          this.detailLevel.value = level
        },
      })
    })
  }

  private closeDetail(): void {
    const detail = this.detail.peek()
    if (detail === undefined) return
    this.meter.retire(detail.client)
    detail.close()
    this.detail.value = undefined
    this.detailState.value = undefined
    this.detailLevel.value = undefined
  }

  private takeList(m: Delivered): void {
    if (m.type === 'error') this.problem.value = m.message ?? m.code
    else this.market.take(m)
  }

  /** Asks for the names of all symbols, then, one by one, for the last hour of each, for its sparkline. */
  private async introduce(): Promise<void> {
    try {
      const instruments = await getInstruments()
      this.market.name(instruments)
      const first = instruments[0]
      if (first !== undefined && !this.market.instruments.peek().has(this.symbol.peek())) {
        this.problem.value = `There is no symbol ${this.symbol.peek()} on this node; this is ${first.sym}.`
        this.symbol.value = first.sym
      }
      for (const { sym } of instruments) {
        const bars = await getBars(sym, '1m', { limit: sparkPoints })
        this.market.sparkHistory(
          sym,
          bars.map((bar) => bar.c),
        )
      }
    } catch {
      setTimeout(() => void this.introduce(), 5_000)
    }
  }

  private everySecond(): void {
    if (this.paused.peek()) return
    this.meter.tick(this.clients(), this.market.buffer.conflated)
    const minute = Math.floor(Date.now() / 60_000)
    this.market.sparkTick(minute !== this.minute && this.minute !== 0)
    this.minute = minute
  }

  private writeLink(): void {
    const state = {
      symbol: this.symbol.value,
      interval: this.interval.value,
      transport: this.transport.value,
      theme: this.theme.value,
    }
    history.replaceState(null, '', `${location.pathname}${writeURL(location.search, state)}${location.hash}`)
  }

  private watchPage(): void {
    addEventListener('online', () => {
      this.retryNow()
    })
    addEventListener('pagehide', () => {
      this.sleep()
    })
    addEventListener('pageshow', () => {
      this.wake()
    })
    const sleep = (): void => {
      this.sleepIfDear()
    }
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.hiddenTimer)
      if (document.hidden) this.hiddenTimer = setTimeout(sleep, hiddenMs)
      else this.wake()
    })
  }

  /** A WebSocket is not counted among the six, so it may stay. */
  private sleepIfDear(): void {
    if (this.listState.peek()?.transport !== 'ws') this.sleep()
  }

  private sleep(): void {
    if (this.list === undefined) return
    this.meter.retire(this.list)
    this.list.close()
    this.list = undefined
    this.closeDetail()
  }

  private wake(): void {
    if (this.list !== undefined) return
    this.openList()
    this.openDetail(this.symbol.peek(), this.interval.peek())
  }
}

export interface Adapted {
  level: string
  /** It is on its way back: the line keeps up with what it gets. */
  recovering: boolean
}

function coarsest(levels: readonly (Level | undefined)[]): Adapted | undefined {
  let worst: Adapted | undefined
  for (const level of levels) {
    if (level?.adapted !== true) continue
    const own = coarser(level.trades, level.quotes)
    if (coarser(worst?.level ?? '', own) === own) worst = { level: own, recovering: level.reason === 'recovered' }
  }
  return worst
}

const goodness = ['offline', 'closed', 'reconnecting', 'stale', 'connecting', 'live']

/** A detail that connects for the first time is no news: that happens with each choice of a symbol. */
function worse(list: ConnectionState | undefined, detail: ConnectionState | undefined): ConnectionState | undefined {
  if (list === undefined || detail === undefined || detail.phase === 'connecting') return list ?? detail
  return goodness.indexOf(detail.phase) < goodness.indexOf(list.phase) ? detail : list
}
