import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TapecastClient, type ClientOptions, type Delivered } from '../src/client/client.ts'
import type { ConnectionState } from '../src/client/connector.ts'
import { transportNames } from '../src/client/transport.ts'
import { Tape } from './tape.ts'

let tape: Tape
let got: Delivered[]
let states: ConnectionState[]
let client: TapecastClient | undefined

beforeEach(() => {
  vi.useFakeTimers({ now: 1_764_000_000_000 })
  tape = new Tape()
  got = []
  states = []
})
afterEach(() => {
  client?.close()
  vi.useRealTimers()
})

function connect(options: Partial<ClientOptions> = {}): TapecastClient {
  client = new TapecastClient({
    base: 'http://node',
    symbols: ['AAPL'],
    channels: ['trades'],
    onMessage: (m) => got.push(m),
    onState: (s) => states.push(s),
    ...tape.constructors(),
    ...options,
  })
  return client
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const seqs = () => got.flatMap((m) => (m.type === 'trade' ? [m.seq] : []))
const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i)

describe.each(transportNames)('over %s', (transport) => {
  it('gets a snapshot, then each trade once', async () => {
    tape.trade()
    const c = connect({ transport })
    await pass(10)
    expect(c.state()).toMatchObject({ phase: 'live', transport })
    expect(got[0]).toMatchObject({ type: 'snapshot', trade: { seq: 1 } })
    for (let i = 0; i < 5; i++) {
      tape.trade()
      await pass(50)
    }
    await pass(1100)
    expect(seqs()).toEqual(upTo(6, 2))
    expect(c.tilingReport()).toMatchObject({ holes: 0, overlaps: 0, n: 5 })
    expect(c.stats().bytes).toBeGreaterThan(100)
  })

  it('goes on after a cut, without a hole or a repeat', async () => {
    const c = connect({ transport })
    await pass(10)
    tape.trade()
    await pass(1100)
    tape.faults.set('poll', 'cut')
    tape.sockets.at(-1)?.shut(1006)
    tape.sources.at(-1)?.shut()
    for (let i = 0; i < 3; i++) tape.trade()
    await pass(1100)
    expect(states.some((s) => s.phase === 'reconnecting' && s.nextAt !== undefined && s.reason !== undefined)).toBe(
      true,
    )
    tape.faults.clear()
    await pass(60_000)
    tape.trade()
    await pass(1100)
    expect(c.state()).toMatchObject({ phase: 'live', transport })
    expect(seqs()).toEqual(upTo(5))
    expect(c.tilingReport()).toMatchObject({ holes: 0, overlaps: 0, restarts: 0 })
    expect(c.stats().reconnects).toBeGreaterThan(0)
  })
})

describe('switching', () => {
  it.each(transportNames.flatMap((a) => transportNames.filter((b) => b !== a).map((b) => [a, b] as const)))(
    'from %s to %s loses and doubles nothing',
    async (from, to) => {
      const c = connect({ transport: from })
      await pass(10)
      const feed = setInterval(() => tape.trade(), 7)
      await pass(2500)
      void c.use(to)
      await pass(2500)
      clearInterval(feed)
      await pass(1100)
      expect(c.state()).toMatchObject({ phase: 'live', transport: to, choice: to })
      expect(seqs()).toEqual(upTo(tape.messages.length))
      expect(c.tilingReport()).toMatchObject({ holes: 0, overlaps: 0, repeats: 0, restarts: 0 })
    },
  )

  it('lets the last of many wishes win', async () => {
    const c = connect({ transport: 'ws' })
    await pass(10)
    void c.use('sse')
    void c.use('long-poll')
    void c.use('short-poll')
    await pass(1000)
    expect(c.state()).toMatchObject({ phase: 'live', transport: 'short-poll' })
    expect(tape.sources).toHaveLength(0)
  })

  it('resumes from the last cursor when the node gives none for the asking', async () => {
    const c = connect({ transport: 'ws' })
    await pass(10)
    for (let i = 0; i < 4; i++) tape.trade()
    tape.faults.set('ws', 'mute')
    void c.use('sse')
    await pass(1000)
    tape.trade()
    await pass(10)
    expect(seqs()).toEqual(upTo(5))
    expect(c.tilingReport()).toMatchObject({ holes: 0, overlaps: 0, repeats: 4 })
  })
})

describe('resuming with an old cursor', () => {
  it('over a poll says what to skip, so that nothing comes twice', async () => {
    const c = connect({ transport: 'ws' })
    await pass(10)
    for (let i = 0; i < 4; i++) tape.trade()
    tape.faults.set('ws', 'mute')
    void c.use('long-poll')
    await pass(1000)
    tape.trade()
    await pass(10)
    expect(tape.posts).toEqual([JSON.stringify({ since: { AAPL: { trades: 4 } } })])
    expect(seqs()).toEqual(upTo(5))
    expect(c.tilingReport()).toMatchObject({ holes: 0, overlaps: 0, repeats: 0 })
  })
})

describe('falling back', () => {
  it('takes the next transport after an error, and says why', async () => {
    tape.faults.set('ws', 'cut')
    const c = connect()
    await pass(20)
    expect(c.state()).toMatchObject({ phase: 'live', transport: 'sse', choice: 'auto' })
    expect(c.state().fellBack).toBe('ws: the WebSocket closed (1006)')
  })

  it('takes the next transport when no message comes', async () => {
    tape.faults.set('ws', 'mute')
    tape.faults.set('sse', 'mute')
    const c = connect({ firstMessageMs: 3000 })
    await pass(2990)
    expect(c.state().transport).toBe('ws')
    await pass(3100)
    expect(c.state()).toMatchObject({ phase: 'live', transport: 'long-poll', fellBack: 'sse: no message within 3 s' })
  })

  it('begins again with the first, after a wait, when none works', async () => {
    for (const name of ['ws', 'sse', 'poll'] as const) tape.faults.set(name, 'cut')
    const c = connect()
    await pass(30)
    expect(c.state()).toMatchObject({ phase: 'reconnecting', transport: 'ws' })
    tape.faults.clear()
    await pass(30_000)
    expect(c.state()).toMatchObject({ phase: 'live', transport: 'ws' })
  })

  it('does not leave a transport that has worked because a node restarts', async () => {
    const c = connect()
    await pass(10)
    for (const name of ['ws', 'sse', 'poll'] as const) tape.faults.set(name, 'cut')
    tape.sockets.at(-1)?.shut(1006)
    await pass(2000)
    tape.faults.clear()
    await pass(30_000)
    expect(c.state()).toMatchObject({ phase: 'live', transport: 'ws', fellBack: undefined })
  })

  it('does not happen to a transport that was chosen', async () => {
    tape.faults.set('ws', 'cut')
    const c = connect({ transport: 'ws' })
    await pass(60_000)
    expect(c.state()).toMatchObject({ phase: 'reconnecting', transport: 'ws' })
  })

  it('works where there is neither WebSocket nor EventSource', async () => {
    const saved = globalThis.WebSocket
    vi.stubGlobal('WebSocket', undefined)
    vi.stubGlobal('EventSource', undefined)
    const { fetch } = tape.constructors()
    client = new TapecastClient({
      base: 'http://node',
      symbols: ['AAPL'],
      channels: ['trades'],
      onMessage: (m) => got.push(m),
      fetch,
    })
    await pass(10)
    expect(client.state()).toMatchObject({ phase: 'live', transport: 'long-poll' })
    vi.unstubAllGlobals()
    expect(globalThis.WebSocket).toBe(saved)
  })
})
