// The promise that the node is held to: for each symbol and channel the ranges received tile the sequence, no hole, no
// overlap, in order. The same numbers are where a resume goes on from, so there is one book of them.

import { channelOf, type Channel, type Ranged, type Snapshot } from './messages.ts'

/** symbol -> channel -> the last seq received. */
export type Since = Record<string, Partial<Record<Channel, number>>>

export interface TilingReport {
  /** When the check began (or began anew), milliseconds since 1970. */
  startedAt: number
  /** (symbol, channel) pairs under watch. */
  watched: number
  /** Breaks of the promise: ranges that did not start right after the last one, and the seqs missing in them. */
  holes: number
  missing: number
  /** Breaks of the promise: ranges that came again, wholly or in part. */
  overlaps: number
  /** Aggs whose count is not the width of their range. */
  badSums: number
  /** Gaps that the node declared, and the seqs that they cover. They tile, but the data can't be had. */
  gaps: number
  gapSeqs: number
  /** What came again after a resume by cursor alone, as it may, and was left out. */
  repeats: number
  /** Times the check had to begin anew: another tape, or no place to resume from. */
  restarts: number
  /** Trades received, and their volume (a double, so rounded; the exact sums are the node's tests' concern). */
  n: number
  v: number
  /** The latest breaks, in words. */
  problems: string[]
}

interface Book {
  last: number
  /** After a resume by cursor, until the first new message: what we have may come again. */
  resuming: boolean
}

const keptProblems = 20

export class Tiling {
  private books = new Map<string, Map<Channel, Book>>()
  private readonly counts = {
    holes: 0,
    missing: 0,
    overlaps: 0,
    badSums: 0,
    gaps: 0,
    gapSeqs: 0,
    repeats: 0,
    restarts: 0,
    n: 0,
    v: 0,
  }
  private problems: string[] = []

  constructor(private startedAt = Date.now()) {}

  /** Enters a message; false when the client has it already and must not deliver it again. */
  apply(m: Ranged): boolean {
    const channel = channelOf(m)
    const book = this.find(m.sym, channel)
    if (book === undefined) this.start(m.sym, channel, m.seq)
    else if (!this.advance(book, m, channel)) return false
    this.sum(m)
    return true
  }

  /** A snapshot says where trades and quotes start. Statuses share their numbers with corrections, which it lacks. */
  snapshot(s: Snapshot): void {
    if (s.trade !== undefined) this.startAt(s.sym, 'trades', s.trade.seq)
    if (s.quote !== undefined) this.startAt(s.sym, 'quotes', s.quote.seq)
  }

  /** What we have may come again now: the resume was by cursor, which can be older than what was received after it. */
  resumed(): void {
    for (const books of this.books.values()) for (const book of books.values()) book.resuming = true
  }

  /** The numbers begin anew; the counts of breaks stay. */
  restart(now = Date.now()): void {
    this.books = new Map()
    this.startedAt = now
    this.counts.restarts++
  }

  /** Where to go on, for these channels (statuses are implied). */
  since(channels: readonly string[]): Since {
    const since: Since = {}
    for (const [sym, books] of this.books) {
      const lasts: Since[string] = {}
      for (const [channel, book] of books) {
        if (channel === 'statuses' || channels.includes(channel)) lasts[channel] = book.last
      }
      since[sym] = lasts
    }
    return since
  }

  last(sym: string, channel: Channel): number | undefined {
    return this.find(sym, channel)?.last
  }

  report(): TilingReport {
    let watched = 0
    for (const books of this.books.values()) watched += books.size
    return { startedAt: this.startedAt, watched, ...this.counts, problems: [...this.problems] }
  }

  private advance(book: Book, m: Ranged, channel: Channel): boolean {
    const first = firstOf(m, book.last)
    if (m.seq <= book.last) {
      if (book.resuming) this.counts.repeats++
      else this.overlap(m, channel, first, book.last)
      return false
    }
    if (first > book.last + 1) {
      this.hole(m.sym, channel, book.last + 1, first - 1)
    } else if (first <= book.last && m.type !== 'gap') {
      this.overlap(m, channel, first, book.last) // It can't be split, so it is delivered, and counted.
    }
    if (m.type === 'gap') {
      this.counts.gaps++
      this.counts.gapSeqs += m.seq - Math.max(first, book.last + 1) + 1
    }
    book.last = m.seq
    book.resuming = false
    return true
  }

  private sum(m: Ranged): void {
    if (m.type === 'trade') {
      this.counts.n++
      this.counts.v += m.v
    } else if (m.type === 'agg') {
      this.counts.n += m.n
      this.counts.v += m.v
      if (m.n !== m.seq - m.first + 1) {
        this.counts.badSums++
        this.note(`${m.sym} trades: an agg of ${m.first}..${m.seq} says n=${m.n}`)
      }
    }
  }

  private startAt(sym: string, channel: Channel, seq: number): void {
    const book = this.find(sym, channel)
    if (book === undefined) {
      this.start(sym, channel, seq)
    } else if (seq > book.last) {
      this.hole(sym, channel, book.last + 1, seq)
      book.last = seq
    } // An older snapshot takes nothing back: what follows it is judged by what we have.
  }

  private start(sym: string, channel: Channel, seq: number): void {
    let books = this.books.get(sym)
    if (books === undefined) this.books.set(sym, (books = new Map<Channel, Book>()))
    books.set(channel, { last: seq, resuming: false })
  }

  private find(sym: string, channel: Channel): Book | undefined {
    return this.books.get(sym)?.get(channel)
  }

  private hole(sym: string, channel: Channel, first: number, last: number): void {
    this.counts.holes++
    this.counts.missing += last - first + 1
    this.note(`${sym} ${channel}: ${first}..${last} never came`)
  }

  private overlap(m: Ranged, channel: Channel, first: number, last: number): void {
    this.counts.overlaps++
    this.note(`${m.sym} ${channel}: ${first}..${m.seq} came again, the last was ${last}`)
  }

  private note(problem: string): void {
    this.problems.push(problem)
    if (this.problems.length > keptProblems) this.problems.shift()
  }
}

function firstOf(m: Ranged, last: number): number {
  switch (m.type) {
    case 'agg':
      return m.first
    case 'quote':
      return m.first ?? m.seq
    case 'gap':
      return m.first ?? last + 1
    default:
      return m.seq
  }
}
