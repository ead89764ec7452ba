// The messages of the native protocol v1 as they are on the wire. Times (`ts`, `t0`) are microseconds since 1970 UTC;
// `seq` counts within one symbol and channel and has no hole; `first` is given only where a message covers a range.

export type Channel = 'trades' | 'quotes' | 'statuses'
export type Side = 'b' | 's'

export interface Hello {
  type: 'hello'
  v: number
  node?: string
  tape?: string
  heartbeat_ms?: number
}
export interface Trade {
  type: 'trade'
  sym: string
  seq: number
  ts: number
  p: number
  v: number
  side?: Side
}
export interface Quote {
  type: 'quote'
  sym: string
  first?: number
  seq: number
  ts: number
  bp: number
  bv: number
  ap: number
  av: number
}
/** A merged range of trades: what a slow client gets in place of each trade. */
export interface Agg {
  type: 'agg'
  sym: string
  first: number
  seq: number
  t0: number
  ts: number
  n: number
  o: number
  h: number
  l: number
  c: number
  v: number
}
/** What history answers in `bars`, and what a bar message adds its `type` to. `ts` is the start of the interval. */
export interface Bar {
  sym?: string
  i?: string
  ts: number
  o: number
  h: number
  l: number
  c: number
  v: number
  n?: number
  first?: number
  seq?: number
  final?: boolean
  rev?: number
}
export interface BarMessage extends Bar {
  type: 'bar'
  sym: string
  i: string
}
export interface Status {
  type: 'status'
  sym: string
  seq: number
  ts: number
  state: string
  reason?: string
}
export interface Amendment {
  type: 'correction' | 'cancel'
  sym: string
  seq: number
  ref: number
  ts: number
  old?: { p: number; v: number }
  new?: { p: number; v: number }
}
export interface Snapshot {
  type: 'snapshot'
  sym: string
  trade?: Omit<Trade, 'type' | 'sym'>
  quote?: Omit<Quote, 'type' | 'sym'>
  status?: Omit<Status, 'type' | 'sym'>
  day?: Bar
  tape?: string
}
export interface Gap {
  type: 'gap'
  sym: string
  channel: Channel
  first?: number
  seq: number
  reason: string
}
export interface Reset {
  type: 'reset'
  reason?: string
}
export interface Subscribed {
  type: 'subscribed' | 'unsubscribed'
  id?: string
  symbols?: number
  channels?: string[]
  resolution?: string
  cursor?: string
  tape?: string
}
export interface Resolution {
  type: 'resolution'
  id?: string
  trades?: string
  quotes?: string
  reason: string
}
export interface Heartbeat {
  type: 'heartbeat'
  ts: number
  at?: number
  behind_ms?: number
  cursor?: string
}
export interface At {
  type: 'at'
  cursor: string
}
export interface Pong {
  type: 'pong'
  id?: string
  cursor?: string
}
export interface ErrorMessage {
  type: 'error'
  id?: string
  code: string
  message?: string
  symbols?: string[]
}
export interface Bye {
  type: 'bye'
  code: string
  retry_ms?: number
  cursor?: string
}

/** Messages that cover a range of some channel's numbers. */
export type Ranged = Trade | Quote | Agg | Status | Amendment | Gap
export type Message =
  Ranged | Hello | BarMessage | Snapshot | Reset | Subscribed | Resolution | Heartbeat | At | Pong | ErrorMessage | Bye

/** The numbering that a message belongs to. Statuses, corrections and cancels share the third. */
export function channelOf(m: Ranged): Channel {
  switch (m.type) {
    case 'trade':
    case 'agg':
      return 'trades'
    case 'quote':
      return 'quotes'
    case 'gap':
      return m.channel
    default:
      return 'statuses'
  }
}
