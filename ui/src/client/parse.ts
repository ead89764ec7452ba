// From text to messages. A node may be newer than this page, so unknown types and fields are skipped; a known type
// without the numbers that everything else relies on is refused, since carrying on would mean guessing.

import type { Message } from './messages.ts'

const symbolAndSeq = ['sym', 'seq', 'ts']
// What each known type can not do without.
const required = new Map<string, readonly string[]>([
  ['trade', [...symbolAndSeq, 'p', 'v']],
  ['quote', [...symbolAndSeq, 'bp', 'bv', 'ap', 'av']],
  ['agg', [...symbolAndSeq, 'first', 't0', 'n', 'o', 'h', 'l', 'c', 'v']],
  ['bar', ['sym', 'i', 'ts', 'o', 'h', 'l', 'c', 'v']],
  ['status', [...symbolAndSeq, 'state']],
  ['correction', [...symbolAndSeq, 'ref']],
  ['cancel', [...symbolAndSeq, 'ref']],
  ['snapshot', ['sym']],
  ['gap', ['sym', 'channel', 'seq']],
  ['hello', ['v']],
  ['at', ['cursor']],
  ['error', ['code']],
  ['bye', ['code']],
  ['reset', []],
  ['subscribed', []],
  ['unsubscribed', []],
  ['resolution', []],
  ['heartbeat', []],
  ['pong', []],
])
const strings = new Set(['sym', 'i', 'channel', 'state', 'cursor', 'code'])

export class WireError extends Error {
  override name = 'WireError'
}

/** One text frame or event: a message, or an array of them. */
export function parseMessages(text: string): Message[] {
  const value = parseJSON(text)
  return Array.isArray(value) ? value.flatMap(toMessages) : toMessages(value)
}

/** A poll's answer. */
export function parsePoll(text: string): { messages: Message[]; next: string | undefined } {
  const value = parseJSON(text)
  if (!isRecord(value) || !Array.isArray(value.messages)) throw new WireError(`not a poll's answer: ${excerpt(text)}`)
  return {
    messages: value.messages.flatMap(toMessages),
    next: typeof value.next === 'string' && value.next !== '' ? value.next : undefined,
  }
}

/** The `{"error":{"code","message"}}` body of a refusal, if it is one. */
export function parseRefusal(text: string): { code: string; message: string } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value) || !isRecord(value.error) || typeof value.error.code !== 'string') return undefined
    const { code, message } = value.error
    return { code, message: typeof message === 'string' ? message : code }
  } catch {
    return undefined
  }
}

function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new WireError(`not JSON: ${excerpt(text)}`)
  }
}

function toMessages(value: unknown): Message[] {
  if (!isRecord(value) || typeof value.type !== 'string') {
    throw new WireError(`a message without a type: ${excerpt(JSON.stringify(value))}`)
  }
  const fields = required.get(value.type)
  if (fields === undefined) return []
  for (const field of fields) {
    const want = strings.has(field) ? 'string' : 'number'
    if (typeof value[field] !== want)
      throw new WireError(`${value.type} without a ${want} "${field}": ${excerpt(JSON.stringify(value))}`)
  }
  return [value as unknown as Message]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function excerpt(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
