import { parseMessages, parseRefusal } from './parse.ts'
import {
  missing,
  query,
  refusal,
  streamQuery,
  type Ending,
  type Env,
  type Sink,
  type StreamRequest,
  type Transport,
} from './transport.ts'

const closedState = 2

/**
 * One EventSource. It would reconnect by itself, but then the waiting would be the browser's: so the first error ends
 * it, and the client reconnects with the cursor of the last event, which stands or falls together with its data.
 */
export function openSSE(request: StreamRequest, sink: Sink, env: Env): Transport {
  if (env.EventSource === undefined) return missing('EventSource', sink)
  const source = new env.EventSource(`${request.base}/v1/events?${streamQuery(request)}`)
  const probing = new AbortController()
  let ended = false
  const end = (ending: Ending): void => {
    if (ended) return
    ended = true
    source.close()
    sink.ended(ending)
  }

  source.onmessage = (event: MessageEvent) => {
    if (ended) return
    try {
      const text = String(event.data)
      const messages = parseMessages(text)
      sink.deliver(messages, text.length, event.lastEventId === '' ? undefined : event.lastEventId)
      for (const m of messages) {
        if (m.type !== 'bye') continue
        if (m.code === 'end') end({ kind: 'stop', why: 'the stream has ended' })
        else end({ kind: 'retry', why: `the node said bye: ${m.code}`, retryMs: m.retry_ms ?? 0 })
      }
    } catch (error) {
      end({ kind: 'retry', why: String(error) })
    }
  }
  source.onerror = () => {
    if (source.readyState !== closedState) {
      end({ kind: 'retry', why: 'the event stream was cut' })
      return
    }
    void probe(request, env, probing.signal).then(end)
  }

  return {
    close() {
      ended = true
      probing.abort()
      source.close()
    },
  }
}

/** EventSource hides the status of a refusal, so the same question is put as a poll, whose refusal can be read. */
async function probe(request: StreamRequest, env: Env, signal: AbortSignal): Promise<Ending> {
  const why = 'the event stream was refused'
  if (env.fetch === undefined) return { kind: 'retry', why }
  try {
    const answer = await env.fetch(`${request.base}/v1/poll?${query(request, { wait: '0', limit: '1' })}`, { signal })
    if (answer.ok) return { kind: 'blocked', why }
    const said = parseRefusal(await answer.text())
    return refusal(
      answer.status,
      said?.code ?? '',
      said?.message ?? `${why} (${answer.status})`,
      request.cursor !== undefined,
    )
  } catch {
    return { kind: 'retry', why }
  }
}
