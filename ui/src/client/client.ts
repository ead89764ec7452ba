// The Tapecast client: one stream of messages over whichever transport works, that goes on after any break from where
// it stopped. It has no dependencies; the constructors it needs are options, for places that lack them.

import { Connector, type Choice, type ConnectionState } from './connector.ts'
import { Levels, resolveID, type Level, type Wish } from './level.ts'
import type { BarMessage, ErrorMessage, Heartbeat, Message, Ranged, Reset, Resolution, Snapshot } from './messages.ts'
import { openLongPoll, openShortPoll } from './poll.ts'
import { openSSE } from './sse.ts'
import { Stats } from './stats.ts'
import { Tiling, type TilingReport } from './tiling.ts'
import type { Ending, Env, Open, StreamRequest, Transport, TransportName } from './transport.ts'
import { openWebSocket } from './websocket.ts'

/** What onMessage gets. Ranged messages come once each and in order; a reset means that all state is to be dropped. */
export type Delivered = Ranged | BarMessage | Snapshot | Reset | Resolution | Heartbeat | ErrorMessage

export interface ClientOptions extends Wish {
  /** Such as http://127.0.0.1:8080; the page's own origin by default. */
  base?: string
  /** Names, or ['*'] for all. */
  symbols: readonly string[]
  /** trades, quotes, bars:1m and so on; statuses are implied. */
  channels: readonly string[]
  /** What becomes of a slow client: adapt (merged data, the default) or drop (cut off, after which it resumes). */
  slow?: 'adapt' | 'drop'
  /** False: do not tell the node once a second how far we have read, which lets it see slowness behind proxies. */
  ack?: boolean
  transport?: Choice
  onMessage(message: Delivered): void
  onState?(state: ConnectionState): void
  /** How finely data comes, and why: at each change; undefined from the start of a connection to its first message. */
  onLevel?(level: Level | undefined): void
  /** Milliseconds between short polls: 1,000 by default. */
  pollMs?: number
  /** Milliseconds to the first message before a transport is given up: 4,000 by default. */
  firstMessageMs?: number
  WebSocket?: Env['WebSocket']
  EventSource?: Env['EventSource']
  fetch?: Env['fetch']
}

export interface ClientStats {
  messages: number
  bytes: number
  reconnects: number
  latency: ReturnType<Stats['latency']>
}

const openers: Record<TransportName, Open> = {
  ws: openWebSocket,
  sse: openSSE,
  'long-poll': openLongPoll,
  'short-poll': openShortPoll,
}
const defaultHeartbeatMs = 15_000
const farBehindMs = 5_000
// What comes in the first second after a reconnect is late because of the break, not because of the way.
const catchUpMs = 1_000
const ackMs = 1_000

export class TapecastClient {
  private readonly env: Env
  private readonly base: string
  private readonly connector: Connector
  private readonly tiling = new Tiling()
  private readonly levels: Levels
  private readonly counters = new Stats()
  private readonly clock: ReturnType<typeof setInterval>
  private cursor: string | undefined
  private heartbeatMs = defaultHeartbeatMs
  private behindMs = 0
  private connections = 0
  private connectedAt = 0
  private heardAt = 0
  private newestTs = 0
  private ackedTs = 0
  private ackedAt = 0

  /** Connects at once; close() ends it. */
  constructor(private readonly options: ClientOptions) {
    this.base = (options.base ?? globalThis.location.origin).replace(/\/$/, '')
    this.env = {
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      EventSource: options.EventSource ?? globalThis.EventSource,
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    }
    const { resolution, maxRate, maxBytes } = options
    this.levels = new Levels(
      { ...(resolution && { resolution }), ...(maxRate && { maxRate }), ...(maxBytes && { maxBytes }) },
      (level) => options.onLevel?.(level),
    )
    this.connector = new Connector({
      choice: options.transport ?? 'auto',
      firstMessageMs: options.firstMessageMs ?? 4_000,
      open: (name, ended) => this.connect(name, ended),
      anew: () => this.forgetCursor(),
      handedOver: (cursor) => {
        this.keep(cursor)
      },
      onState: (state) => options.onState?.(state),
    })
    this.clock = setInterval(() => {
      this.everySecond()
    }, 1000)
    this.connector.open()
  }

  state(): ConnectionState {
    return this.connector.current()
  }

  /** How finely data comes, and why; undefined before the first message of a connection. */
  level(): Level | undefined {
    return this.levels.current()
  }

  /**
   * Changes what is wanted while the client runs; what is left out is as by default. A WebSocket says it, the others
   * connect again and go on where they were. A node that refuses over a WebSocket sends an error, and all stays as it
   * was.
   */
  resolve(wish: Wish): void {
    this.levels.change(wish)
    if (this.connector.resolve(wish) === 'said') this.levels.sent()
  }

  stats(): ClientStats {
    const { messages, bytes, reconnects } = this.counters
    return { messages, bytes, reconnects, latency: this.counters.latency() }
  }

  tilingReport(): TilingReport {
    return this.tiling.report()
  }

  /** The last seq of a symbol's trades or quotes, or undefined before the first. */
  lastSeq(sym: string, channel: 'trades' | 'quotes'): number | undefined {
    return this.tiling.last(sym, channel)
  }

  /** Switches the transport without losing or doubling a message. */
  use(transport: Choice): Promise<void> {
    return this.connector.use(transport)
  }

  retryNow(): void {
    this.connector.retryNow()
  }

  close(): void {
    clearInterval(this.clock)
    this.connector.close()
  }

  private connect(name: TransportName, ended: (ending: Ending) => void): Transport {
    if (this.connections++ > 0) this.counters.reconnects++
    if (this.cursor === undefined) {
      if (this.tiling.report().watched > 0) this.startAnew('no place to resume from')
    } else if (name === 'sse') {
      this.tiling.resumed()
    }
    this.connectedAt = this.heardAt = Date.now()
    this.behindMs = 0
    const request: StreamRequest = {
      base: this.base,
      symbols: this.options.symbols,
      channels: this.options.channels,
      wish: this.levels.begin(),
      slow: this.options.slow,
      cursor: this.cursor,
      since: this.tiling.since(this.options.channels),
      heartbeatMs: this.heartbeatMs,
      pollMs: this.options.pollMs ?? 1_000,
    }
    const deliver = (messages: readonly Message[], bytes: number, cursor?: string): void => {
      this.deliver(messages, bytes, cursor)
    }
    return openers[name](request, { deliver, ended }, this.env)
  }

  private deliver(messages: readonly Message[], bytes: number, cursor: string | undefined): void {
    this.heardAt = Date.now()
    this.counters.bytes += bytes
    this.counters.messages += messages.length
    this.connector.heard()
    const { transport } = this.connector.current()
    this.levels.served(transport === 'ws' || transport === 'sse')
    const caughtUp = this.heardAt - this.connectedAt > catchUpMs
    for (const m of messages) this.handle(m, caughtUp)
    this.keep(cursor)
    this.acknowledge()
  }

  /** A message may have no cursor, or an empty one, where the stream is not at a cut. */
  private keep(cursor: string | undefined): void {
    if (cursor !== undefined && cursor !== '') this.cursor = cursor
  }

  private handle(m: Message, caughtUp: boolean): void {
    switch (m.type) {
      case 'trade':
      case 'quote':
      case 'agg':
        if (!this.tiling.apply(m)) return
        this.newestTs = Math.max(this.newestTs, m.ts)
        if (caughtUp) this.counters.age(m.ts)
        break
      case 'status':
      case 'correction':
      case 'cancel':
      case 'gap':
        if (!this.tiling.apply(m)) return
        break
      case 'snapshot':
        this.tiling.snapshot(m)
        break
      case 'reset':
        this.cursor = undefined
        this.newestTs = 0
        this.tiling.restart()
        break
      case 'resolution':
        this.levels.changed(m)
        break
      case 'error':
        if (m.id === resolveID) this.levels.refused()
        break
      case 'heartbeat':
        this.behindMs = m.behind_ms ?? 0
        this.keep(m.cursor)
        break
      case 'hello':
        this.heartbeatMs = m.heartbeat_ms ?? defaultHeartbeatMs
        return
      case 'at':
      case 'bye':
      case 'pong':
      case 'subscribed':
      case 'unsubscribed':
        this.keep(m.cursor)
        return
    }
    this.options.onMessage(m)
  }

  private everySecond(): void {
    this.acknowledge()
    const silentMs = Date.now() - this.heardAt
    if (silentMs > 2 * this.heartbeatMs) this.connector.silent(Math.round(silentMs / 1000))
    else if (silentMs > 1.2 * this.heartbeatMs)
      this.connector.stale(`nothing came for ${Math.round(silentMs / 1000)} s`)
    else if (this.behindMs > farBehindMs)
      this.connector.stale(`the node is ${Math.round(this.behindMs / 1000)} s behind`)
    else this.connector.stale(undefined)
  }

  /**
   * Once a second, at a message or, for the last one, by the clock. Not by the clock alone: browsers slow the clocks of
   * pages that are out of sight to a tick a minute, and the node would take them for slow.
   */
  private acknowledge(): void {
    const now = Date.now()
    if (this.options.ack === false || this.newestTs === this.ackedTs || now - this.ackedAt < ackMs) return
    this.connector.ack(this.newestTs)
    this.ackedTs = this.newestTs
    this.ackedAt = now
  }

  private forgetCursor(): boolean {
    if (this.cursor === undefined) return false
    this.startAnew('the node refused the place to resume from')
    return true
  }

  private startAnew(reason: string): void {
    this.cursor = undefined
    this.tiling.restart()
    this.options.onMessage({ type: 'reset', reason })
  }
}
