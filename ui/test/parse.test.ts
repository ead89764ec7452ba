import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseMessages, parsePoll, parseRefusal, WireError } from '../src/client/parse.ts'

describe('parsing', () => {
  it('takes one message, or an array of them', () => {
    const one = '{"type":"trade","sym":"AAPL","seq":1,"ts":2,"p":189.42,"v":100,"side":"b"}'
    expect(parseMessages(one)).toMatchObject([{ type: 'trade', p: 189.42 }])
    expect(parseMessages(`[${one},{"type":"at","cursor":"c"}]`)).toHaveLength(2)
  })

  it('skips types and fields that it does not know', () => {
    expect(parseMessages('[{"type":"news","sym":"AAPL"},{"type":"pong","extra":1}]')).toMatchObject([{ type: 'pong' }])
  })

  it.each([
    ['{"type":"trade","sym":"AAPL","seq":1', 'not JSON'],
    ['{"type":"trade","sym":"AAPL","seq":"1","ts":1,"p":1,"v":1}', 'trade without a number "seq"'],
    ['{"type":"trade","seq":1,"ts":1,"p":1,"v":1}', 'trade without a string "sym"'],
    ['[1]', 'a message without a type'],
    ['null', 'a message without a type'],
  ])('refuses %s', (text, why) => {
    expect(() => parseMessages(text)).toThrow(WireError)
    expect(() => parseMessages(text)).toThrow(why)
  })

  it("reads a poll's answer", () => {
    expect(parsePoll('{"messages":[{"type":"pong"}],"next":"c1"}')).toEqual({
      messages: [{ type: 'pong' }],
      next: 'c1',
    })
    expect(() => parsePoll('{"error":{"code":"x"}}')).toThrow("not a poll's answer")
  })

  it('reads a refusal, and only a refusal', () => {
    expect(parseRefusal('{"error":{"code":"limit","message":"too many"}}')).toEqual({
      code: 'limit',
      message: 'too many',
    })
    expect(parseRefusal('<html>')).toBeUndefined()
    expect(parseRefusal('{"error":"no"}')).toBeUndefined()
  })
})

// The node's encoder and this parser read the same examples. A file holds one message a line, or one JSON value.
const goldens = fileURLToPath(new URL('../../fanout/wire/testdata/', import.meta.url))
describe.skipIf(!existsSync(goldens))("the node's examples of its messages", () => {
  const files = existsSync(goldens) ? readdirSync(goldens).filter((name) => name.endsWith('.json')) : []
  it.each(files)('%s', (name) => {
    const text = readFileSync(goldens + name, 'utf8').trim()
    for (const part of isJSON(text) ? [text] : text.split('\n')) {
      const value = JSON.parse(part) as Record<string, unknown>
      if (name === 'symbol.json') {
        expect(value).toMatchObject({ sym: expect.any(String) as string, decimals: expect.any(Number) as number })
        continue
      }
      const messages = 'messages' in value ? parsePoll(part).messages : parseMessages(part)
      expect(messages.length).toBeGreaterThan(0)
    }
  })
})

function isJSON(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
