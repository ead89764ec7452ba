// How finely a client gets data: what it wants, and what the node says it gets. A node gives a slow client less detail
// (quotes, then trades merged over longer and longer times), and all of it again once it keeps up.

import type { Resolution } from './messages.ts'

/** What a client wants. Only streams have the bounds: a poll is paced by how often it asks. */
export interface Wish {
  /** raw, 100ms, 250ms, 1s or 5s: the finest to be sent; raw by default. */
  resolution?: string
  /** Messages a second at the most. */
  maxRate?: number
  /** Bytes a second at the most. */
  maxBytes?: number
}

/** What a client gets, and why. */
export interface Level {
  /** raw, 100ms, 250ms, 1s, 5s, or paced: one merged message per symbol at each chance to send. */
  trades: string
  quotes: string
  reason: string
  /** Coarser than was asked for, because the client was slow. */
  adapted: boolean
}

const order = ['raw', '100ms', '250ms', '1s', '5s', 'paced']

/** The coarser of two levels; one that is not known is the finest. */
export function coarser(a: string, b: string): string {
  return order.indexOf(b) > order.indexOf(a) ? b : a
}

/** Keeps the wish and the level of one client. A wish is granted or refused as a whole. */
export class Levels {
  private level: Level | undefined
  private granted: Wish | undefined
  private asked: Wish[] = []

  constructor(
    private wish: Wish,
    private readonly onLevel: (level: Level | undefined) => void,
  ) {}

  current(): Level | undefined {
    return this.level
  }

  /** What to ask a new connection for, of which nothing is known yet. */
  begin(): Wish {
    this.asked = []
    this.set(undefined)
    return this.wish
  }

  change(wish: Wish): void {
    this.wish = wish
  }

  /** The wish was sent over the connection that there is; the node will reply to each, in order. */
  sent(): void {
    this.asked.push(this.wish)
  }

  /** The node serves a new connection as it was asked. */
  served(bounded: boolean): void {
    if (this.level !== undefined) return
    this.granted = this.wish
    const level = bounded ? best(this.wish) : (this.wish.resolution ?? 'raw')
    this.set({ trades: level, quotes: level, reason: 'asked', adapted: false })
  }

  changed(m: Resolution): void {
    if (m.id === resolveID) this.granted = this.asked.shift() ?? this.granted
    const { trades = 'raw', quotes = 'raw', reason } = m
    const least = best(this.granted ?? this.wish)
    this.set({ trades, quotes, reason, adapted: coarser(least, coarser(trades, quotes)) !== least })
  }

  /** The node did not take a wish: what it took before stays. */
  refused(): void {
    this.asked.shift()
    if (this.asked.length === 0 && this.granted !== undefined) this.wish = this.granted
  }

  private set(level: Level | undefined): void {
    if (level === this.level) return
    this.level = level
    this.onLevel(level)
  }
}

/** The id of the command that says a new wish, and of the reply to it. */
export const resolveID = 'resolve'

function best(wish: Wish): string {
  return (wish.maxRate ?? 0) > 0 || (wish.maxBytes ?? 0) > 0 ? 'paced' : (wish.resolution ?? 'raw')
}
