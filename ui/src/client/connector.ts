// Keeps one connection alive: which transport, when to try again, when to fall back to the next. It knows nothing of
// ticks; what a resume needs is asked from its owner each time a connection is opened.

import { backoff } from './backoff.ts'
import type { Wish } from './level.ts'
import { transportNames, type Ending, type Transport, type TransportName } from './transport.ts'

export type Choice = 'auto' | TransportName
/**
 * connecting: the first attempt. live: bytes flow. stale: connected, but silent or far behind. reconnecting: between
 * attempts or during one. offline: given up for the reason said, until use() or retryNow(). closed: by close().
 */
export type Phase = 'connecting' | 'live' | 'stale' | 'reconnecting' | 'offline' | 'closed'

export interface ConnectionState {
  phase: Phase
  choice: Choice
  transport: TransportName
  /** Attempts since the connection was last good. */
  attempt: number
  /** When the next attempt starts, milliseconds since 1970; undefined unless one is waited for. */
  nextAt: number | undefined
  /** Why the phase is what it is, in words. */
  reason: string | undefined
  /** Why auto is not on its first transport, in words. */
  fellBack: string | undefined
}

export interface ConnectorOptions {
  choice: Choice
  /** How long to wait for the first message before a transport is given up. */
  firstMessageMs: number
  open(name: TransportName, ended: (ending: Ending) => void): Transport
  /** The node refused the cursor: forget it. False when there is none, so that it can't be the cause. */
  anew(why: string): boolean
  /** A handover's cursor: the exact place after all that was delivered. */
  handedOver(cursor: string): void
  onState(state: ConnectionState): void
}

// A transport that has worked here is tried for about a minute before the next one; a node that restarts takes less.
const patience = 8
const stableMs = 10_000

export class Connector {
  private state: ConnectionState
  private transport: Transport | undefined
  private readonly worked = new Set<TransportName>()
  private failures = 0
  private liveAt: number | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  /** Counts connections and switches, so that what comes late from an older one is left out. */
  private epoch = 0
  private wanted: Choice
  private switching = false

  constructor(private readonly options: ConnectorOptions) {
    const { choice } = options
    this.wanted = choice
    this.state = {
      phase: 'connecting',
      choice,
      transport: choice === 'auto' ? 'ws' : choice,
      attempt: 0,
      nextAt: undefined,
      reason: undefined,
      fellBack: undefined,
    }
  }

  current(): ConnectionState {
    return this.state
  }

  open(): void {
    clearTimeout(this.timer)
    const epoch = ++this.epoch
    this.liveAt = undefined
    this.set({ phase: this.state.phase === 'connecting' ? 'connecting' : 'reconnecting', nextAt: undefined })
    this.timer = setTimeout(() => {
      this.end({ kind: 'blocked', why: `no message within ${this.options.firstMessageMs / 1000} s` })
    }, this.options.firstMessageMs)
    const ended = (ending: Ending): void => {
      if (epoch === this.epoch) this.end(ending)
    }
    try {
      this.transport = this.options.open(this.state.transport, ended)
    } catch (error) {
      this.end({ kind: 'blocked', why: String(error) })
    }
  }

  /** A message has come. */
  heard(): void {
    if (this.liveAt !== undefined || this.state.phase === 'closed') return
    clearTimeout(this.timer)
    this.liveAt = Date.now()
    this.failures = 0
    this.worked.add(this.state.transport)
    this.set({ phase: 'live', reason: undefined })
  }

  /** Says that a live connection is silent or behind, or, with undefined, that it is well again. */
  stale(reason: string | undefined): void {
    if (this.liveAt === undefined || this.state.reason === reason) return
    this.set({ phase: reason === undefined ? 'live' : 'stale', reason })
  }

  /** Nothing came for so long that a live connection must be dead. */
  silent(seconds: number): void {
    if (this.liveAt !== undefined) this.end({ kind: 'retry', why: `nothing came for ${seconds} s` })
  }

  ack(ts: number): void {
    this.transport?.ack?.(ts)
  }

  /** Has a new wish take effect: by a word to the node, or else by a new connection, which will ask for it. */
  resolve(wish: Wish): 'said' | 'again' {
    if (this.transport?.resolve?.(wish) === true) return 'said'
    if (this.transport !== undefined) {
      this.drop()
      this.set({ phase: 'reconnecting', nextAt: undefined })
      this.open()
    }
    return 'again'
  }

  /** Switches to another transport, or back to auto, from the exact place where this one stops. The last wish wins. */
  async use(choice: Choice): Promise<void> {
    this.wanted = choice
    if (this.switching || this.state.phase === 'closed') return
    this.switching = true
    const epoch = this.epoch
    const cursor = await this.transport?.handover?.()
    this.switching = false
    if (cursor !== undefined && epoch === this.epoch) this.options.handedOver(cursor)
    this.moveTo(this.wanted)
  }

  /** Ends a wait: the network is back, or the visitor asks. */
  retryNow(): void {
    if (this.state.nextAt !== undefined || this.state.phase === 'offline') this.open()
  }

  close(): void {
    this.drop()
    this.set({ phase: 'closed', nextAt: undefined })
  }
  private moveTo(choice: Choice): void {
    if (this.state.phase === 'closed') return
    const transport = choice === 'auto' ? 'ws' : choice
    if (this.liveAt !== undefined && transport === this.state.transport) {
      this.set({ choice, fellBack: undefined })
      return
    }
    this.drop()
    this.failures = 0
    this.set({ phase: 'reconnecting', choice, transport, attempt: 0, fellBack: undefined, reason: undefined })
    this.open()
  }

  private end(ending: Ending): void {
    const livedMs = this.liveAt === undefined ? 0 : Date.now() - this.liveAt
    const wasLive = this.liveAt !== undefined
    this.drop()
    if (livedMs > stableMs) this.set({ attempt: 0 })
    if (ending.kind === 'stop' || (ending.kind === 'anew' && !this.options.anew(ending.why))) {
      this.set({ phase: 'offline', nextAt: undefined, reason: ending.why })
      return
    }
    if (!wasLive && ending.kind !== 'anew') this.failures++
    if (!wasLive && this.shouldFallBack(ending)) this.fallBack(ending.why)
    else this.wait(ending)
  }

  private shouldFallBack(ending: Ending): boolean {
    if (this.state.choice !== 'auto' || ending.kind === 'anew') return false
    return this.failures >= (this.worked.has(this.state.transport) ? patience : 1)
  }

  private fallBack(why: string): void {
    const index = transportNames.indexOf(this.state.transport) + 1
    const next = transportNames[index]
    this.failures = 0
    if (next === undefined) {
      this.set({ transport: transportNames[0], fellBack: undefined })
      this.wait({ kind: 'retry', why })
      return
    }
    this.set({ transport: next, fellBack: `${this.state.transport}: ${why}`, reason: why })
    this.open()
  }

  private wait({ why, retryMs }: Ending): void {
    const attempt = this.state.attempt + 1
    const delay = backoff(attempt, retryMs)
    this.timer = setTimeout(() => {
      this.open()
    }, delay)
    this.set({ phase: 'reconnecting', attempt, nextAt: Date.now() + delay, reason: why })
  }

  private drop(): void {
    this.epoch++
    clearTimeout(this.timer)
    this.transport?.close()
    this.transport = undefined
    this.liveAt = undefined
  }

  private set(change: Partial<ConnectionState>): void {
    this.state = { ...this.state, ...change }
    this.options.onState(this.state)
  }
}
