// @vitest-environment happy-dom
import { describe, expect, it, vi } from 'vitest'
import { Stats } from '../src/client/stats.ts'
import { Tiling } from '../src/client/tiling.ts'
import { describe as badge } from '../src/page/badge.tsx'
import { Flasher } from '../src/page/flash.ts'
import { describeTiling } from '../src/page/footer.tsx'
import { Meter } from '../src/page/meter.ts'
import { linePath } from '../src/page/sparkline.tsx'

const base = {
  choice: 'auto',
  transport: 'sse',
  attempt: 0,
  nextAt: undefined,
  reason: undefined,
  fellBack: undefined,
} as const

describe('the badge', () => {
  it('says each state in words', () => {
    expect(badge({ ...base, phase: 'live' }, undefined)).toBe('Live · SSE')
    expect(badge({ ...base, phase: 'stale' }, undefined)).toBe('Stale')
    expect(badge({ ...base, phase: 'offline' }, undefined)).toBe('Offline')
    expect(badge({ ...base, phase: 'reconnecting', attempt: 3 }, 7)).toBe('Reconnecting (attempt 3, next in 7 s)')
    expect(badge({ ...base, phase: 'reconnecting', attempt: 3 }, undefined)).toBe('Reconnecting (attempt 3, now)')
  })
})

describe('the badge of a slow line', () => {
  const live = { ...base, phase: 'live' } as const

  it('says what is given instead of every tick', () => {
    expect(badge(live, undefined, { level: '1s', recovering: false })).toBe('Adapted: 1s (slow line) · SSE')
    expect(badge(live, undefined, { level: '250ms', recovering: true })).toBe('Adapted: 250ms (recovering) · SSE')
  })
})

describe('the meter', () => {
  const client = (tiling: Tiling, messages = 0, bytes = 0) => ({
    tilingReport: () => tiling.report(),
    stats: () => ({ messages, bytes, reconnects: 0, latency: undefined }),
  })
  const trade = (seq: number) => ({ type: 'trade', sym: 'A', seq, ts: 1, p: 1, v: 1 }) as const

  it('adds up the clients, and keeps those that are closed', () => {
    const broken = new Tiling(2000)
    for (const seq of [1, 3, 3]) broken.apply(trade(seq))
    const meter = new Meter()
    meter.retire(client(broken, 10, 100))
    const sum = meter.tiling([client(new Tiling(1000))])
    expect(sum).toMatchObject({ startedAt: 1000, holes: 1, overlaps: 1 })
    expect(sum?.problems).toHaveLength(2)
  })

  it('gives rates per second', () => {
    vi.useFakeTimers({ now: 0 })
    const meter = new Meter()
    vi.advanceTimersByTime(2000)
    meter.tick([client(new Tiling(), 50, 4000)], 0)
    expect(meter.reading.value).toMatchObject({ messagesPerSecond: 25, bytesPerSecond: 2000 })
    vi.advanceTimersByTime(1000)
    meter.tick([client(new Tiling(), 60, 4000)], 0)
    expect(meter.reading.value).toMatchObject({ messagesPerSecond: 10, bytesPerSecond: 0 })
    vi.useRealTimers()
  })

  it('words the tiling', () => {
    const at = new Date(2026, 0, 1, 14, 2).getTime()
    const tiling = { startedAt: at, holes: 0, overlaps: 0, badSums: 0, gaps: 0, repeats: 0, restarts: 0, problems: [] }
    expect(describeTiling(tiling)).toBe('tiling: 0 gaps, 0 overlaps since 14:02')
    expect(describeTiling({ ...tiling, holes: 1, gaps: 2, overlaps: 1 })).toBe(
      'tiling: 3 gaps (2 told by the node), 1 overlap since 14:02',
    )
  })
})

describe('latency', () => {
  it('gives percentiles in milliseconds over the last samples', () => {
    vi.useFakeTimers({ now: 1_764_000_000_000 })
    const stats = new Stats()
    expect(stats.latency()).toBeUndefined()
    const now = (performance.timeOrigin + performance.now()) * 1000
    for (let ms = 1; ms <= 100; ms++) stats.age(now - ms * 1000)
    const { p50, p99, samples } = stats.latency() ?? { p50: 0, p99: 0, samples: 0 }
    expect([Math.round(p50), Math.round(p99), samples]).toEqual([51, 100, 100])
    vi.useRealTimers()
  })
})

describe('flashes', () => {
  const animated = () => {
    const animate = vi.fn()
    const cell = document.createElement('span')
    cell.animate = animate
    return { cell, animate }
  }

  it('are at most three a second for one cell', () => {
    let now = 0
    const flasher = new Flasher(() => now)
    const { cell, animate } = animated()
    for (now = 0; now < 3000; now += 10) flasher.flash(cell, 1)
    expect(animate).toHaveBeenCalledTimes(9)
  })

  it('do not come without a change', () => {
    const { cell, animate } = animated()
    expect(new Flasher(() => 0).flash(cell, 0)).toBe(false)
    expect(animate).not.toHaveBeenCalled()
  })
})

describe('a sparkline', () => {
  it('spans its box, the highest value at the top', () => {
    expect(linePath([1, 3, 2], 62, 26)).toBe('M1.0 24.0L31.0 2.0L61.0 13.0')
    expect(linePath([5, 5], 62, 26)).toBe('M1.0 13.0L61.0 13.0')
    expect(linePath([5], 62, 26)).toBe('')
  })
})
