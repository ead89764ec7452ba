import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TapecastClient, type ClientOptions, type Delivered } from '../src/client/client.ts'
import type { Level } from '../src/client/level.ts'
import { transportNames } from '../src/client/transport.ts'
import { Tape } from './tape.ts'

let tape: Tape
let got: Delivered[]
let levels: (Level | undefined)[]
let client: TapecastClient

beforeEach(() => {
  vi.useFakeTimers({ now: 1_764_000_000_000 })
  tape = new Tape()
  got = []
  levels = []
})
afterEach(() => {
  client.close()
  vi.useRealTimers()
})

async function live(options: Partial<ClientOptions> = {}): Promise<void> {
  client = new TapecastClient({
    base: 'http://node',
    symbols: ['AAPL'],
    channels: ['trades'],
    transport: 'ws',
    onMessage: (m) => got.push(m),
    onLevel: (level) => levels.push(level),
    ...tape.constructors(),
    ...options,
  })
  await pass(10)
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const commands = (op: string) => tape.commands.filter((c) => c.op === op)
const tell = (trades: string, quotes: string, reason: string) =>
  tape.sockets.at(-1)?.say({ type: 'resolution', id: 'g1', trades, quotes, reason })
const asked = (level: string): Level => ({ trades: level, quotes: level, reason: 'asked', adapted: false })

describe('what a client gets', () => {
  it.each(transportNames)('is what it asked for, at first, over %s', async (transport) => {
    await live({ transport, resolution: '250ms' })
    expect(levels).toEqual([asked('250ms')])
    expect(client.level()).toEqual(asked('250ms'))
  })

  it('follows what the node says of a slow line', async () => {
    await live()
    tell('raw', '250ms', 'slow')
    tell('5s', '5s', 'slow')
    tell('1s', '1s', 'recovered')
    tell('raw', 'raw', 'recovered')
    expect(levels.map((l) => [l?.trades, l?.quotes, l?.reason, l?.adapted])).toEqual([
      ['raw', 'raw', 'asked', false],
      ['raw', '250ms', 'slow', true],
      ['5s', '5s', 'slow', true],
      ['1s', '1s', 'recovered', true],
      ['raw', 'raw', 'recovered', false],
    ])
    expect(got.filter((m) => m.type === 'resolution')).toHaveLength(4)
  })

  it('is not known after a cut until the node is heard again, and then what was asked for', async () => {
    await live({ resolution: '1s' })
    tell('5s', '5s', 'slow')
    tape.sockets.at(-1)?.shut(1006)
    await pass(2000)
    expect(levels.slice(-2)).toEqual([undefined, asked('1s')])
  })
})

describe('a wish', () => {
  it('is said in the words of a stream', async () => {
    const wish = { resolution: '1s', maxRate: 10, maxBytes: 2000, slow: 'drop' } as const
    await live(wish)
    const said = { resolution: '1s', max_rate: 10, max_bytes: 2000, slow: 'drop' }
    expect(commands('subscribe')[0]).toMatchObject(said)
    expect(client.level()).toEqual(asked('paced'))
    client.close()
    await live({ ...wish, transport: 'sse' })
    const query = Object.fromEntries(new URL(tape.urls.at(-1) ?? '').searchParams)
    expect(query).toMatchObject({ ...said, max_rate: '10', max_bytes: '2000' })
  })

  it('has no bounds over a poll, which the node would refuse', async () => {
    await live({ transport: 'long-poll', resolution: '1s', maxRate: 10, maxBytes: 2000, slow: 'adapt' })
    const params = new URL(tape.urls[0] ?? '').searchParams
    expect(params.get('resolution')).toBe('1s')
    for (const name of ['max_rate', 'max_bytes', 'slow']) expect(params.has(name), name).toBe(false)
    expect(client.level()).toEqual(asked('1s'))
  })

  it('changes over a WebSocket by a command, and is repeated after a cut', async () => {
    await live()
    client.resolve({ resolution: '250ms', maxBytes: 900 })
    expect(commands('resolution')).toEqual([{ op: 'resolution', id: 'resolve', resolution: '250ms', max_bytes: 900 }])
    tape.sockets.at(-1)?.say({ type: 'resolution', id: 'resolve', trades: 'paced', quotes: 'paced', reason: 'asked' })
    expect(client.level()).toEqual(asked('paced'))
    client.resolve({})
    expect(commands('resolution').at(-1)).toEqual({ op: 'resolution', id: 'resolve', resolution: 'raw' })
    // The node may still find the line slow: what it gives then is coarser than the wish.
    tape.sockets.at(-1)?.say({ type: 'resolution', id: 'resolve', trades: '1s', quotes: '1s', reason: 'asked' })
    expect(client.level()).toMatchObject({ trades: '1s', adapted: true })
    client.resolve({ resolution: '5s' })
    tape.sockets.at(-1)?.shut(1006)
    await pass(2000)
    expect(commands('subscribe').at(-1)).toMatchObject({ resolution: '5s', cursor: 'c0' })
    expect(tape.sockets).toHaveLength(2)
  })

  it('that the node refuses leaves everything as it was', async () => {
    await live({ resolution: '250ms' })
    client.resolve({ maxRate: 1 })
    tape.sockets.at(-1)?.say({ type: 'error', id: 'resolve', code: 'bad_request', message: 'max_rate is too low' })
    expect(client.level()).toEqual(asked('250ms'))
    expect(got.at(-1)).toMatchObject({ type: 'error', code: 'bad_request' })
    tape.sockets.at(-1)?.shut(1006)
    await pass(2000)
    expect(commands('subscribe').at(-1)).toMatchObject({ resolution: '250ms' })
    expect(commands('subscribe').at(-1)).not.toHaveProperty('max_rate')
  })

  it.each(['sse', 'long-poll', 'short-poll'] as const)(
    'changes over %s by a new connection from the exact place',
    async (transport) => {
      await live({ transport })
      const feed = setInterval(() => tape.trade(), 7)
      await pass(1500)
      client.resolve({ resolution: '1s' })
      await pass(1500)
      clearInterval(feed)
      await pass(1100)
      expect(tape.urls.at(-1)).toContain('resolution=1s')
      expect(client.level()).toEqual(asked('1s'))
      const seqs = got.flatMap((m) => (m.type === 'trade' ? [m.seq] : []))
      expect(seqs).toEqual(tape.messages.map((_, i) => i + 1))
      expect(client.tilingReport()).toMatchObject({ holes: 0, overlaps: 0, restarts: 0 })
    },
  )
})

describe('acknowledgements', () => {
  it('come once a second, while there is something new, with the newest time', async () => {
    await live()
    const feed = setInterval(() => tape.trade(), 100)
    await pass(5000)
    clearInterval(feed)
    await pass(10_000)
    const acks = commands('ack').map((c) => Number(c.ts))
    expect(acks.length).toBeGreaterThanOrEqual(5)
    expect(acks.length).toBeLessThanOrEqual(7)
    const last = tape.messages.at(-1)
    expect(acks.at(-1)).toBe(last?.type === 'trade' ? last.ts : 0)
    expect([...acks].sort((a, b) => a - b)).toEqual(acks)
  })

  it('do not wait for the clock, which stands still in a page out of sight', async () => {
    vi.stubGlobal('setInterval', () => 0)
    await live()
    for (let i = 0; i < 30; i++) {
      tape.trade()
      await pass(100)
    }
    expect(commands('ack')).toHaveLength(3)
    vi.unstubAllGlobals()
  })

  it('can be left out', async () => {
    await live({ ack: false })
    tape.trade()
    await pass(3000)
    expect(commands('ack')).toEqual([])
  })
})
