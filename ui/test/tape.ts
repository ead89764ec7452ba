// A tape in memory, and a node that serves it over fake versions of the browser's constructors, as the protocol says.
// A cursor is "c" and the number of messages before it. Everything happens in fake time.

import type { Message, Trade } from '../src/client/messages.ts'

type Json = Record<string, unknown>

interface PollInit {
  signal: AbortSignal
  body?: string
}

export class Tape {
  readonly messages: Message[] = []
  readonly sockets: FakeWebSocket[] = []
  readonly sources: FakeEventSource[] = []
  readonly commands: Json[] = []
  readonly urls: string[] = []
  readonly posts: string[] = []
  /** Transports that refuse to work: 'cut' ends at once, 'mute' accepts and says nothing. */
  readonly faults = new Map<'ws' | 'sse' | 'poll', 'cut' | 'mute'>()
  /** When set, polls answer with this status and body. */
  refusal: { status: number; body: Json } | undefined
  heartbeatMs = 15_000
  private waiting: (() => void)[] = []

  constructor(private readonly symbol = 'AAPL') {}

  get cursor(): string {
    return `c${this.messages.length}`
  }

  /** Publishes the next trade to all who listen. */
  trade(): Trade {
    const seq = this.messages.length + 1
    const trade: Trade = { type: 'trade', sym: this.symbol, seq, ts: 1_764_000_000_000_000 + seq, p: 100 + seq, v: 1 }
    this.messages.push(trade)
    for (const socket of this.sockets) socket.flush()
    for (const source of this.sources) source.flush()
    for (const wake of this.waiting.splice(0)) wake()
    return trade
  }

  hello(): Message {
    return { type: 'hello', v: 1, heartbeat_ms: this.heartbeatMs }
  }

  heartbeat(cursor: string): Message {
    return { type: 'heartbeat', ts: Date.now() * 1000, behind_ms: 0, cursor }
  }

  snapshot(): Message {
    const last = this.messages.at(-1)
    const trade = last?.type === 'trade' ? { trade: { seq: last.seq, ts: last.ts, p: last.p, v: last.v } } : {}
    return { type: 'snapshot', sym: this.symbol, ...trade }
  }

  constructors() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the fakes are constructed by the client, with a URL alone
    const tape = this
    return {
      WebSocket: class extends FakeWebSocket {
        constructor(url: string) {
          super(url, tape)
        }
      } as unknown as new (url: string) => WebSocket,
      EventSource: class extends FakeEventSource {
        constructor(url: string) {
          super(url, tape)
        }
      } as unknown as new (url: string) => EventSource,
      fetch: ((url: string, init: PollInit) => this.poll(url, init)) as unknown as typeof fetch,
    }
  }

  private async poll(url: string, { signal, body }: PollInit): Promise<Response> {
    this.urls.push(url)
    if (body !== undefined) this.posts.push(body)
    if (this.faults.get('poll') === 'cut') throw new TypeError('fetch failed')
    if (this.refusal !== undefined)
      return new Response(JSON.stringify(this.refusal.body), { status: this.refusal.status })
    const params = new URL(url).searchParams
    const cursor = params.get('cursor')
    if (cursor === null) return this.answer([this.snapshot()])
    const { since } = JSON.parse(body ?? '{}') as { since?: Record<string, { trades?: number }> }
    const from = Object.values(since ?? {})[0]?.trades ?? Number(cursor.slice(1))
    if (from >= this.messages.length && params.get('wait') !== '0') {
      await new Promise<void>((resolve) => {
        setTimeout(resolve, Number(params.get('wait')) * 1000)
        this.waiting.push(resolve)
      })
      signal.throwIfAborted()
    }
    return this.answer(this.messages.slice(from))
  }

  private answer(messages: Message[]): Response {
    return new Response(JSON.stringify({ messages, next: this.cursor }))
  }
}

export class FakeWebSocket {
  onopen: (() => void) | undefined
  onmessage: ((event: { data: string }) => void) | undefined
  onclose: ((event: { code: number; reason: string }) => void) | undefined
  readyState = 0
  private at: number | undefined

  constructor(
    readonly url: string,
    private readonly tape: Tape,
  ) {
    tape.sockets.push(this)
    setTimeout(() => {
      if (this.readyState !== 0) return
      if (tape.faults.get('ws') === 'cut') {
        this.shut(1006)
        return
      }
      this.readyState = 1
      this.onopen?.()
      this.say(tape.hello())
      setInterval(() => {
        this.beat()
      }, tape.heartbeatMs)
    }, 1)
  }

  send(text: string): void {
    const command = JSON.parse(text) as {
      op: string
      id?: string
      cursor?: string
      since?: Record<string, { trades?: number }>
    }
    this.tape.commands.push(command)
    if (command.op === 'ping') this.say({ type: 'pong', id: command.id ?? '', cursor: `c${this.at ?? 0}` })
    if (command.op !== 'subscribe') return
    this.say({ type: 'subscribed', id: command.id ?? '', cursor: command.cursor ?? this.tape.cursor })
    const since = Object.values(command.since ?? {})[0]?.trades
    if (command.cursor === undefined) this.say(this.tape.snapshot())
    this.at = command.cursor === undefined ? this.tape.messages.length : (since ?? Number(command.cursor.slice(1)))
    this.flush()
  }

  flush(): void {
    if (this.at === undefined || this.readyState !== 1) return
    const due = this.tape.messages.slice(this.at)
    this.at += due.length
    for (const message of due) this.say(message)
  }

  beat(): void {
    if (this.readyState === 1) this.say(this.tape.heartbeat(`c${this.at ?? 0}`))
  }

  /** Whatever is said while the transport is mute gets lost on the way. */
  say(message: Message): void {
    if (this.tape.faults.get('ws') !== 'mute') this.onmessage?.({ data: JSON.stringify(message) })
  }

  close(): void {
    this.readyState = 3
  }

  shut(code: number, reason = ''): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose?.({ code, reason })
  }
}

export class FakeEventSource {
  onmessage: ((event: { data: string; lastEventId: string }) => void) | undefined
  onerror: (() => void) | undefined
  readyState = 0
  private at: number | undefined

  constructor(
    readonly url: string,
    private readonly tape: Tape,
  ) {
    tape.sources.push(this)
    tape.urls.push(url)
    setTimeout(() => {
      if (this.readyState === 2) return
      if (tape.faults.get('sse') === 'cut') {
        this.shut()
        return
      }
      this.readyState = 1
      const cursor = new URL(url).searchParams.get('cursor')
      this.at = cursor === null ? tape.messages.length : Number(cursor.slice(1))
      this.say(cursor === null ? [tape.hello(), tape.snapshot()] : [tape.hello()])
      this.flush()
      setInterval(() => {
        if (this.readyState === 1) this.say([tape.heartbeat(`c${this.at ?? 0}`)])
      }, tape.heartbeatMs)
    }, 1)
  }

  flush(): void {
    if (this.at === undefined || this.readyState !== 1 || this.at >= this.tape.messages.length) return
    const messages = this.tape.messages.slice(this.at)
    this.at = this.tape.messages.length
    this.say(messages)
  }

  say(messages: Message[]): void {
    const cursor = `c${this.at ?? 0}`
    const data = JSON.stringify([...messages, { type: 'at', cursor }])
    if (this.tape.faults.get('sse') !== 'mute') this.onmessage?.({ data, lastEventId: cursor })
  }

  /** The network is cut (the browser would reconnect), or, refused, the node said no. */
  shut(refused = false): void {
    this.readyState = refused ? 2 : 0
    this.onerror?.()
  }

  close(): void {
    this.readyState = 2
  }
}
