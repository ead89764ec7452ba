// How long to wait before the next attempt. Full jitter spreads clients that lost the same node evenly over time.

const baseMs = 250
const capMs = 30_000
const longestRetryMs = 5 * 60_000
const spreadMs = 1000

/** Milliseconds before attempt n (1 is the first). `retryMs` is the node's own word and is a floor, spread over a second. */
export function backoff(attempt: number, retryMs?: number, random: () => number = Math.random): number {
  if (retryMs !== undefined) {
    const floor = Math.min(Math.max(0, retryMs), longestRetryMs)
    return floor + random() * spreadMs
  }
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 16))
}
