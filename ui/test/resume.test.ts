import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { backoff } from '../src/client/backoff.ts'
import { TapecastClient, type ClientOptions, type Delivered } from '../src/client/client.ts'
import { Tape } from './tape.ts'

let tape: Tape
let got: Delivered[]
let client: TapecastClient

beforeEach(() => {
  vi.useFakeTimers({ now: 1_764_000_000_000 })
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  tape = new Tape()
  got = []
})
afterEach(() => {
  client.close()
  vi.useRealTimers()
})

async function live(options: Partial<ClientOptions> = {}): Promise<TapecastClient> {
  client = new TapecastClient({
    base: 'http://node/',
    symbols: ['AAPL', 'MSFT'],
    channels: ['trades', 'bars:1m'],
    transport: 'ws',
    onMessage: (m) => got.push(m),
    ...tape.constructors(),
    ...options,
  })
  await pass(10)
  return client
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const socket = () => tape.sockets.at(-1)
const subscribes = () => tape.commands.filter((c) => c.op === 'subscribe')

describe('what is asked for', () => {
  it('over a WebSocket: a command, without a query', async () => {
    await live({ resolution: '250ms' })
    expect(socket()?.url).toBe('ws://node/v1/stream')
    expect(subscribes()).toEqual([
      { op: 'subscribe', id: 'g1', symbols: ['AAPL', 'MSFT'], channels: ['trades', 'bars:1m'], resolution: '250ms' },
    ])
  })

  it('after a cut: the same, with the cursor and what to skip', async () => {
    await live()
    tape.trade()
    tape.trade()
    socket()?.shut(1006)
    await pass(1000)
    expect(subscribes().at(-1)).toMatchObject({ cursor: 'c0', since: { AAPL: { trades: 2 } } })
  })

  it('over SSE and polls: parameters', async () => {
    await live({ transport: 'sse' })
    await client.use('long-poll')
    await pass(10)
    expect(tape.urls).toEqual([
      'http://node/v1/events?symbols=AAPL%2CMSFT&channels=trades%2Cbars%3A1m',
      'http://node/v1/poll?symbols=AAPL%2CMSFT&channels=trades%2Cbars%3A1m&cursor=c0&wait=0',
      'http://node/v1/poll?symbols=AAPL%2CMSFT&channels=trades%2Cbars%3A1m&cursor=c0&wait=15',
    ])
  })

  it('an ack each second, while something comes', async () => {
    await live()
    const { ts } = tape.trade()
    await pass(3000)
    expect(tape.commands.filter((c) => c.op === 'ack')).toEqual([{ op: 'ack', ts }])
  })
})

describe('how a connection ends', () => {
  it.each([4000, 4001, 4002, 4099])('close code %i: not again', async (code) => {
    const c = await live()
    socket()?.shut(code, 'bad request')
    await pass(120_000)
    expect(c.state()).toMatchObject({ phase: 'offline', reason: `the WebSocket closed: bad request (${code})` })
    expect(tape.sockets).toHaveLength(1)
  })

  it.each([1000, 1001, 1006, 1011, 4100, 4102])('close code %i: again, with backoff', async (code) => {
    const c = await live()
    socket()?.shut(code)
    expect(c.state()).toMatchObject({ phase: 'reconnecting', attempt: 1, nextAt: Date.now() + 250 })
    await pass(300)
    expect(c.state().phase).toBe('live')
  })

  it('close code 1012: again now, spread over a second', async () => {
    const c = await live()
    socket()?.shut(1012)
    expect(c.state().nextAt).toBe(Date.now() + 500)
  })

  it('bye: its retry_ms is a floor, its cursor the place', async () => {
    const c = await live()
    socket()?.say({ type: 'bye', code: 'slow', retry_ms: 8000, cursor: 'c7' })
    socket()?.shut(4100, 'slow')
    expect(c.state().nextAt).toBe(Date.now() + 8500)
    await pass(8600)
    expect(subscribes().at(-1)).toMatchObject({ cursor: 'c7' })
  })

  it('bye end: not again', async () => {
    const c = await live()
    socket()?.say({ type: 'bye', code: 'end' })
    socket()?.shut(1000)
    await pass(60_000)
    expect(c.state()).toMatchObject({ phase: 'offline', reason: 'the stream has ended' })
  })

  it('bye draining over SSE: again, from its cursor', async () => {
    const c = await live({ transport: 'sse' })
    tape.sources.at(-1)?.say([{ type: 'bye', code: 'draining', retry_ms: 200 }])
    expect(c.state()).toMatchObject({ phase: 'reconnecting', nextAt: Date.now() + 700 })
    await pass(800)
    expect(tape.urls.at(-1)).toContain('cursor=c0')
  })

  it('silence: stale after one heartbeat, dead after two', async () => {
    tape.heartbeatMs = 5000
    const c = await live()
    tape.faults.set('ws', 'mute')
    await pass(7000)
    expect(c.state()).toMatchObject({ phase: 'stale', reason: 'nothing came for 7 s' })
    tape.faults.clear()
    await pass(1000)
    socket()?.say({ type: 'pong' })
    await pass(1000)
    expect(c.state()).toMatchObject({ phase: 'live', reason: undefined })
    tape.faults.set('ws', 'mute')
    await pass(12_000)
    expect(c.state()).toMatchObject({ phase: 'reconnecting' })
    expect(tape.sockets.length).toBeGreaterThan(1)
  })

  it('a node far behind the tape is said to be stale', async () => {
    const c = await live()
    socket()?.say({ type: 'heartbeat', ts: 1, behind_ms: 9000 })
    await pass(1000)
    expect(c.state()).toMatchObject({ phase: 'stale', reason: 'the node is 9 s behind' })
  })

  it('a message that can not be read: again, from before it', async () => {
    const c = await live()
    tape.trade()
    socket()?.onmessage?.({ data: '{"type":"trade"' })
    expect(c.state()).toMatchObject({ phase: 'reconnecting' })
    await pass(1000)
    tape.trade()
    expect(c.tilingReport()).toMatchObject({ n: 2, holes: 0, overlaps: 0 })
  })

  it('close() is for good', async () => {
    const c = await live()
    c.close()
    tape.trade()
    await pass(60_000)
    expect(c.state().phase).toBe('closed')
    expect(c.tilingReport().n).toBe(0)
    expect(tape.sockets).toHaveLength(1)
  })
})

describe('a refused place', () => {
  const body = { error: { code: 'bad_cursor', message: 'the cursor is of another tape' } }

  it('over a WebSocket: begins anew and tells the page to forget', async () => {
    const c = await live()
    tape.trade()
    socket()?.shut(1006)
    await pass(260)
    socket()?.say({ type: 'error', id: 'g1', code: 'bad_cursor', message: 'no' })
    await pass(1000)
    expect(subscribes().at(-1)).not.toHaveProperty('cursor')
    expect(got).toContainEqual({ type: 'reset', reason: 'the node refused the place to resume from' })
    expect(c.tilingReport()).toMatchObject({ restarts: 1 })
  })

  it('over a poll', async () => {
    const c = await live({ transport: 'short-poll' })
    tape.refusal = { status: 400, body }
    await pass(1000)
    tape.refusal = undefined
    await pass(2000)
    expect(c.state().phase).toBe('live')
    expect(c.tilingReport()).toMatchObject({ restarts: 1 })
  })

  it('over SSE, which hides the answer: the question is put as a poll', async () => {
    const c = await live({ transport: 'sse' })
    tape.sources.at(-1)?.shut()
    await pass(251)
    tape.refusal = { status: 400, body }
    tape.sources.at(-1)?.shut(true)
    await pass(10)
    expect(c.state().reason).toBe('the cursor is of another tape')
    await pass(2000)
    expect(tape.urls.at(-1)).not.toContain('cursor=')
    expect(c.state().phase).toBe('live')
  })

  it('any other bad request stops, with the reason', async () => {
    tape.refusal = { status: 400, body: { error: { code: 'bad_request', message: 'no such channel' } } }
    const c = await live({ transport: 'long-poll' })
    expect(c.state()).toMatchObject({ phase: 'offline', reason: 'no such channel' })
    tape.refusal = undefined
    c.retryNow()
    await pass(10)
    expect(c.state().phase).toBe('live')
  })

  it('a busy node is asked again', async () => {
    tape.refusal = { status: 503, body: {} }
    const c = await live({ transport: 'short-poll' })
    expect(c.state()).toMatchObject({ phase: 'reconnecting', reason: 'the poll was refused (503)' })
  })
})

describe('a reset from the node', () => {
  it('begins the numbers anew', async () => {
    const c = await live()
    for (let i = 0; i < 3; i++) tape.trade()
    socket()?.say({ type: 'reset', reason: 'new_tape' })
    socket()?.say({ type: 'snapshot', sym: 'AAPL', trade: { seq: 1, ts: 1, p: 1, v: 1 } })
    socket()?.say({ type: 'trade', sym: 'AAPL', seq: 2, ts: 2, p: 1, v: 1 })
    expect(c.tilingReport()).toMatchObject({ restarts: 1, holes: 0, overlaps: 0, n: 4 })
  })
})

describe('backoff', () => {
  it('doubles up to a cap, with full jitter', () => {
    expect([1, 2, 3, 20].map((n) => backoff(n, undefined, () => 1))).toEqual([500, 1000, 2000, 30_000])
    expect(backoff(5, undefined, () => 0)).toBe(0)
  })

  it('never tries before retry_ms, and bounds a foolish one', () => {
    expect(backoff(1, 2000, () => 0)).toBe(2000)
    expect(backoff(1, 2000, () => 1)).toBe(3000)
    expect(backoff(1, 1e12, () => 0)).toBe(300_000)
  })
})
