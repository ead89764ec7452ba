// Numbers in words and digits. Everything has a fixed shape, so that columns of digits line up and nothing jumps.

const minus = '\u2212'

/** A price with its instrument's decimals, grouped by thousands. */
export function price(value: number, decimals: number): string {
  return digits(value, decimals, decimals)
}

/** A size in its shortest form, as on the wire. */
export function size(value: number): string {
  return digits(value, 0, 8)
}

/** A volume in four digits or fewer: 982, 12.3K, 4.56M. */
export function volume(value: number): string {
  if (value < 1000) return digits(value, 0, value < 10 ? 2 : value < 100 ? 1 : 0)
  for (const [unit, scale] of units) {
    if (value < scale * 999.5) return `${short(value / scale)}${unit}`
  }
  return `${short(value / 1e12)}T`
}
const units = [
  ['K', 1e3],
  ['M', 1e6],
  ['B', 1e9],
] as const

/** A signed share in percent: +0.42%. Never colour alone: the sign is part of the text. */
export function percent(share: number): string {
  return `${sign(share, leastShare)}${digits(Math.abs(share) * 100, 2, 2)}%`
}

/** A share as percent() shows it: what rounds to nothing is nothing, so that an arrow beside it agrees. */
export function shownShare(share: number): number {
  return Math.abs(share) < leastShare ? 0 : share
}
const leastShare = 0.00005

/** A signed difference of prices. */
export function change(value: number, decimals: number): string {
  return `${sign(value, 0.5 * 10 ** -decimals)}${digits(Math.abs(value), decimals, decimals)}`
}

/** The direction as a sign that needs no colour. */
export function arrow(value: number): string {
  if (value > 0) return '\u25b2'
  return value < 0 ? '\u25bc' : '\u2022'
}

/** Time of day in UTC, of microseconds: 14:02:07.123, or without milliseconds. */
export function time(micros: number, milliseconds = true): string {
  return new Date(micros / 1000).toISOString().slice(11, milliseconds ? 23 : 19)
}

/** Date and time of a bar's start in UTC: a day has no time, a second has its own. */
export function barTime(micros: number, interval: string): string {
  const iso = new Date(micros / 1000).toISOString()
  if (interval === '1d') return iso.slice(0, 10)
  return `${iso.slice(0, 10)} ${iso.slice(11, interval.endsWith('s') ? 19 : 16)}`
}

/** The visitor's own time of day, of milliseconds: 14:02. */
export function clock(millis: number): string {
  const date = new Date(millis)
  return `${pad(date.getHours())}:${pad(date.getMinutes())}`
}

export function milliseconds(value: number): string {
  return value < 10 ? `${digits(value, 1, 1)} ms` : `${digits(value, 0, 0)} ms`
}

export function bytesPerSecond(value: number): string {
  if (value < 1000) return `${digits(value, 0, 0)} B/s`
  return value < 1e6 ? `${digits(value / 1000, 1, 1)} kB/s` : `${digits(value / 1e6, 1, 1)} MB/s`
}

export function count(value: number, noun: string): string {
  return `${digits(value, 0, 0)} ${noun}${value === 1 ? '' : 's'}`
}

/** The decimals that a number shows by itself, at least two: until the instrument's are known. */
export function decimalsOf(value: number): number {
  return Math.max(2, (String(value).split('.')[1] ?? '').length)
}

function short(value: number): string {
  return digits(value, 0, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
}

function sign(value: number, zero: number): string {
  if (value >= zero) return '+'
  return value <= -zero ? minus : ''
}

const formats = new Map<number, Intl.NumberFormat>()

// Making a format costs a hundred times more than using it, and each tick needs several.
function digits(value: number, least: number, most: number): string {
  const key = least * 16 + most
  let format = formats.get(key)
  if (format === undefined) {
    format = new Intl.NumberFormat('en-US', { minimumFractionDigits: least, maximumFractionDigits: most })
    formats.set(key, format)
  }
  return format.format(value)
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
