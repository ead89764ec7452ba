// What the client and its transports say to each other. A transport carries one connection from start to its end; it
// keeps no place in the stream, never reconnects by itself, and reports its end once.

import type { Wish } from './level.ts'
import type { Message } from './messages.ts'
import type { Since } from './tiling.ts'

export const transportNames = ['ws', 'sse', 'long-poll', 'short-poll'] as const
export type TransportName = (typeof transportNames)[number]

/** What to ask for. Without a cursor the stream starts now, with a snapshot. */
export interface StreamRequest {
  base: string
  symbols: readonly string[]
  channels: readonly string[]
  wish: Wish
  /** Whether a slow client is given less detail (adapt) or cut off (drop); the node's own choice when undefined. */
  slow: 'adapt' | 'drop' | undefined
  cursor: string | undefined
  since: Since
  heartbeatMs: number
  pollMs: number
}

export interface Sink {
  /** A frame, event or answer: its messages in order, then the cursor after them, if it has one. */
  deliver(messages: readonly Message[], bytes: number, cursor?: string): void
  /** The connection has ended, for the reason given. Called once at most, and never after close(). */
  ended(ending: Ending): void
}

/** retry: try again. blocked: this transport will not work here. anew: the cursor was refused. stop: give up. */
export interface Ending {
  kind: 'retry' | 'blocked' | 'anew' | 'stop'
  why: string
  retryMs?: number
}

export interface Transport {
  /** Ends the connection without a word to the sink. */
  close(): void
  /** Asks for the cursor after all that was delivered, before a switch; undefined when there is none to be had. */
  handover?(): Promise<string | undefined>
  /** Tells the node how far we have read, so that it sees slowness that sockets and proxies hide. */
  ack?(ts: number): void
  /** Says a new wish; false when it can't be said over this connection. */
  resolve?(wish: Wish): boolean
}

/** The constructors that the transports use: the browser's own, or those given to the client. */
export interface Env {
  WebSocket: (new (url: string) => WebSocket) | undefined
  EventSource: (new (url: string) => EventSource) | undefined
  fetch: typeof fetch | undefined
}

export type Open = (request: StreamRequest, sink: Sink, env: Env) => Transport

/** The parameters of a stream. */
export function streamQuery(request: StreamRequest): string {
  const { wish, slow } = request
  const bounds: Record<string, string> = {}
  if (slow !== undefined) bounds.slow = slow
  if (wish.maxRate !== undefined) bounds.max_rate = String(wish.maxRate)
  if (wish.maxBytes !== undefined) bounds.max_bytes = String(wish.maxBytes)
  return query(request, bounds)
}

/** The parameters that are the same on all transports. */
export function query(request: StreamRequest, extra: Record<string, string> = {}): string {
  const params = new URLSearchParams({ symbols: request.symbols.join(','), channels: request.channels.join(',') })
  if (request.wish.resolution !== undefined) params.set('resolution', request.wish.resolution)
  if (request.cursor !== undefined) params.set('cursor', request.cursor)
  for (const [name, value] of Object.entries(extra)) params.set(name, value)
  return params.toString()
}

/** What a refusal over HTTP means for the connection. */
export function refusal(status: number, code: string, why: string, hadCursor: boolean, retryMs?: number): Ending {
  const retry = retryMs === undefined ? {} : { retryMs }
  if (hadCursor && code.includes('cursor')) return { kind: 'anew', why, ...retry }
  if (status === 401 || status === 403 || status === 400) return { kind: 'stop', why }
  if (status === 429 || status >= 500) return { kind: 'retry', why, ...retry }
  return { kind: 'blocked', why }
}

/** Stands for a transport whose constructor this place lacks. */
export function missing(what: string, sink: Sink): Transport {
  queueMicrotask(() => {
    sink.ended({ kind: 'blocked', why: `there is no ${what} here` })
  })
  return { close: () => undefined }
}
