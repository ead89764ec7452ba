import { describe, expect, it } from 'vitest'
import * as format from '../src/page/format.ts'

describe('formatting', () => {
  it.each([
    [189.4, 2, '189.40'],
    [91234.5, 2, '91,234.50'],
    [0.15234, 5, '0.15234'],
    [0, 2, '0.00'],
  ])('price %d with %i decimals', (value, decimals, want) => {
    expect(format.price(value, decimals)).toBe(want)
  })

  it.each([
    [0.5, '0.5'],
    [12.34, '12.3'],
    [982, '982'],
    [999.9, '1,000'],
    [1000, '1K'],
    [12_340, '12.3K'],
    [999_499, '999K'],
    [999_500, '1M'],
    [4_560_000, '4.56M'],
    [7.2e9, '7.2B'],
    [3e12, '3T'],
  ])('volume %d', (value, want) => {
    expect(format.volume(value)).toBe(want)
  })

  it.each([
    [0.0042, '+0.42%'],
    [-0.0042, '\u22120.42%'],
    [0, '0.00%'],
    [0.000049, '0.00%'],
    [-0.000049, '0.00%'],
    [0.00005, '+0.01%'],
  ])('percent %d: the sign agrees with what is shown', (value, want) => {
    expect(format.percent(value)).toBe(want)
    expect(Math.sign(format.shownShare(value))).toBe(want === '0.00%' ? 0 : Math.sign(value))
  })

  it('change shows no sign where it rounds to nothing', () => {
    expect(format.change(0.004, 2)).toBe('0.00')
    expect(format.change(-0.91, 2)).toBe('\u22120.91')
  })

  it('gives the direction a sign of its own', () => {
    expect([1, 0, -1].map(format.arrow)).toEqual(['\u25b2', '\u2022', '\u25bc'])
  })

  it('times are UTC', () => {
    const micros = Date.UTC(2026, 10, 24, 8, 9, 7, 42) * 1000
    expect(format.time(micros)).toBe('08:09:07.042')
    expect(format.time(micros, false)).toBe('08:09:07')
    expect(format.barTime(micros, '1d')).toBe('2026-11-24')
    expect(format.barTime(micros, '1m')).toBe('2026-11-24 08:09')
    expect(format.barTime(micros, '5s')).toBe('2026-11-24 08:09:07')
  })

  it('milliseconds, bytes, sizes and counts', () => {
    expect([format.milliseconds(1.26), format.milliseconds(31.4)]).toEqual(['1.3 ms', '31 ms'])
    expect([12, 3_456, 7_890_000].map(format.bytesPerSecond)).toEqual(['12 B/s', '3.5 kB/s', '7.9 MB/s'])
    expect([format.size(100), format.size(0.00012)]).toEqual(['100', '0.00012'])
    expect([format.count(1, 'gap'), format.count(1200, 'gap')]).toEqual(['1 gap', '1,200 gaps'])
    expect([1, 1.5, 0.15234].map(format.decimalsOf)).toEqual([2, 2, 5])
  })
})
