import { resolveID, type Wish } from './level.ts'
import { parseMessages } from './parse.ts'
import { missing, type Ending, type Env, type Sink, type StreamRequest, type Transport } from './transport.ts'

const handoverMs = 500

/** One WebSocket: the subscription is a command, so that it can say `since`, which is exact whatever the cursor's age. */
export function openWebSocket(request: StreamRequest, sink: Sink, env: Env): Transport {
  if (env.WebSocket === undefined) return missing('WebSocket', sink)
  const socket = new env.WebSocket(`${request.base.replace(/^http/, 'ws')}/v1/stream`)
  let ended = false
  let stop: string | undefined
  let retryMs: number | undefined
  let pong: ((cursor: string | undefined) => void) | undefined

  const end = (ending: Ending): void => {
    if (ended) return
    ended = true
    pong?.(undefined)
    quietly(socket)
    sink.ended(ending)
  }
  const send = (command: object): void => {
    if (socket.readyState === 1) socket.send(JSON.stringify(command))
  }

  socket.onopen = () => {
    send(subscribe(request))
  }
  socket.onmessage = (event: MessageEvent) => {
    if (ended) return
    try {
      const text = String(event.data)
      const messages = parseMessages(text)
      sink.deliver(messages, text.length)
      for (const m of messages) {
        if (m.type === 'pong' && m.id === 'handover') pong?.(m.cursor)
        if (m.type === 'bye') {
          retryMs = m.retry_ms ?? (m.code === 'draining' ? 0 : undefined)
          if (m.code === 'end') stop = 'the stream has ended'
        }
        if (m.type === 'error' && m.id === 'g1' && m.code.includes('cursor')) {
          end({ kind: 'anew', why: m.message ?? m.code })
        }
      }
    } catch (error) {
      end({ kind: 'retry', why: String(error) })
    }
  }
  socket.onclose = (event: CloseEvent) => {
    end(stop === undefined ? closed(event.code, event.reason, retryMs) : { kind: 'stop', why: stop })
  }

  return {
    close() {
      ended = true
      pong?.(undefined)
      quietly(socket)
    },
    handover() {
      return new Promise((resolve) => {
        const timer = setTimeout(() => pong?.(undefined), handoverMs)
        pong = (cursor) => {
          clearTimeout(timer)
          pong = undefined
          resolve(cursor)
        }
        if (socket.readyState === 1) send({ op: 'ping', id: 'handover' })
        else pong(undefined)
      })
    },
    ack(ts: number) {
      send({ op: 'ack', ts })
    },
    resolve(wish: Wish) {
      if (socket.readyState !== 1) return false
      send({ op: 'resolution', id: resolveID, ...spell({ ...wish, resolution: wish.resolution ?? 'raw' }) })
      return true
    },
  }
}

/** Closes a socket; one that still connects as soon as it has, since browsers write an error to the console else. */
function quietly(socket: WebSocket): void {
  if (socket.readyState !== 0) socket.close(1000)
  else
    socket.onopen = () => {
      socket.close(1000)
    }
}

function subscribe(request: StreamRequest): object {
  const { symbols, channels, wish, slow, cursor, since } = request
  const place = cursor === undefined ? {} : { cursor, since }
  return { op: 'subscribe', id: 'g1', symbols, channels, slow, ...spell(wish), ...place }
}

/** A wish in the protocol's words; JSON leaves out what is undefined. */
function spell({ resolution, maxRate, maxBytes }: Wish): object {
  return { resolution, max_rate: maxRate, max_bytes: maxBytes }
}

/** Close codes: 4000-4099 mean do not reconnect, 1012 reconnect now, all others reconnect with backoff. */
function closed(code: number, reason: string, retryMs: number | undefined): Ending {
  const why = reason === '' ? `the WebSocket closed (${code})` : `the WebSocket closed: ${reason} (${code})`
  if (code >= 4000 && code <= 4099) return { kind: 'stop', why }
  const wait = retryMs ?? (code === 1012 ? 0 : undefined)
  return { kind: 'retry', why, ...(wait === undefined ? {} : { retryMs: wait }) }
}
