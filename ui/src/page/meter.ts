// The figures of the page's foot: taken once a second, over both clients, and over those that are closed by now.

import { signal } from '@preact/signals'
import type { ClientStats, TapecastClient } from '../client/client.ts'
import type { TilingReport } from '../client/tiling.ts'

export interface Reading {
  messagesPerSecond: number
  bytesPerSecond: number
  latency: ClientStats['latency']
  tiling: Tiling
  /** Values that were replaced by newer ones before a frame could show them. */
  conflated: number
}

export interface Tiling {
  startedAt: number
  holes: number
  overlaps: number
  badSums: number
  gaps: number
  repeats: number
  restarts: number
  problems: string[]
}

type Source = Pick<TapecastClient, 'stats' | 'tilingReport'>
const counted = ['holes', 'overlaps', 'badSums', 'gaps', 'repeats', 'restarts'] as const

export class Meter {
  readonly reading = signal<Reading | undefined>(undefined)
  private retired: Tiling | undefined
  private retiredTotal = { messages: 0, bytes: 0 }
  private before = { messages: 0, bytes: 0, at: performance.now() }

  /** Keeps the sums of a client that is about to be closed. */
  retire(client: Source): void {
    this.retired = add(this.retired, client.tilingReport())
    const { messages, bytes } = client.stats()
    this.retiredTotal = { messages: this.retiredTotal.messages + messages, bytes: this.retiredTotal.bytes + bytes }
  }

  tiling(clients: readonly Source[]): Tiling | undefined {
    return clients.reduce((sum: Tiling | undefined, client) => add(sum, client.tilingReport()), this.retired)
  }

  tick(clients: readonly Source[], conflated: number): void {
    const tiling = this.tiling(clients)
    if (tiling === undefined) return
    const now = { ...this.retiredTotal, at: performance.now() }
    for (const client of clients) {
      const { messages, bytes } = client.stats()
      now.messages += messages
      now.bytes += bytes
    }
    const seconds = Math.max(0.001, (now.at - this.before.at) / 1000)
    this.reading.value = {
      messagesPerSecond: (now.messages - this.before.messages) / seconds,
      bytesPerSecond: (now.bytes - this.before.bytes) / seconds,
      latency: clients[0]?.stats().latency,
      tiling,
      conflated,
    }
    this.before = now
  }
}

function add(sum: Tiling | undefined, report: TilingReport): Tiling {
  const total: Tiling = {
    startedAt: Math.min(sum?.startedAt ?? Infinity, report.startedAt),
    problems: [...(sum?.problems ?? []), ...report.problems].slice(-20),
    ...{ holes: 0, overlaps: 0, badSums: 0, gaps: 0, repeats: 0, restarts: 0 },
  }
  for (const name of counted) total[name] = (sum?.[name] ?? 0) + report[name]
  return total
}
