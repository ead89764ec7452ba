import type { Since } from './tiling.ts'
import { parsePoll, parseRefusal } from './parse.ts'
import {
  query,
  refusal,
  type Ending,
  type Env,
  type Open,
  type Sink,
  type StreamRequest,
  type Transport,
} from './transport.ts'

const longestWaitS = 25

/** Long poll: each question waits at the node until there is something to answer. */
export const openLongPoll: Open = (request, sink, env) => poll(request, sink, env, true)

/** Short poll: a question every `pollMs`, answered at once. */
export const openShortPoll: Open = (request, sink, env) => poll(request, sink, env, false)

function poll(request: StreamRequest, sink: Sink, env: Env, long: boolean): Transport {
  const aborter = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let cursor = request.cursor
  // Less than the silence after which the client takes a connection for dead.
  const waitS = long ? Math.max(1, Math.min(longestWaitS, Math.floor(request.heartbeatMs / 1000))) : 0

  const end = (ending: Ending): void => {
    if (!aborter.signal.aborted) sink.ended(ending)
    aborter.abort()
  }
  // The first question is answered at once, to see that the way is free. On a resume it also says what to skip, since
  // the cursor can be older than what was received after it; from then on the answers' own cursors are exact.
  const ask = async (wait: number, since?: Since): Promise<void> => {
    const asked = { ...request, cursor }
    const answer = await fetchText(`${request.base}/v1/poll?${query(asked, { wait: String(wait) })}`, since)
    if (!answer.ok) {
      end(refused(answer, cursor !== undefined))
      return
    }
    const { messages, next } = parsePoll(answer.text)
    if (aborter.signal.aborted) return
    cursor = next ?? cursor
    sink.deliver(messages, answer.text.length, next)
    const bye = messages.find((m) => m.type === 'bye')
    if (bye !== undefined) {
      const why = `the node said bye: ${bye.code}`
      end(bye.code === 'end' ? { kind: 'stop', why } : { kind: 'retry', why, retryMs: bye.retry_ms ?? 0 })
      return
    }
    if (long) run(waitS)
    else timer = setTimeout(run, request.pollMs, 0)
  }
  const run = (wait: number, since?: Since): void => {
    ask(wait, since).catch((error: unknown) => {
      end({ kind: 'retry', why: `the poll failed: ${error instanceof Error ? error.message : String(error)}` })
    })
  }
  const fetchText = async (url: string, since?: Since): Promise<Answer> => {
    if (env.fetch === undefined) throw new Error('there is no fetch here')
    const post = since === undefined ? {} : { method: 'POST', body: JSON.stringify({ since }) }
    const answer = await env.fetch(url, { signal: aborter.signal, cache: 'no-store', ...post })
    return {
      ok: answer.ok,
      status: answer.status,
      retryAfter: answer.headers.get('Retry-After'),
      text: await answer.text(),
    }
  }

  run(0, cursor === undefined ? undefined : request.since)
  return {
    close() {
      clearTimeout(timer)
      aborter.abort()
    },
  }
}

interface Answer {
  ok: boolean
  status: number
  retryAfter: string | null
  text: string
}

function refused(answer: Answer, hadCursor: boolean): Ending {
  const said = parseRefusal(answer.text)
  const why = said?.message ?? `the poll was refused (${answer.status})`
  const seconds = Number(answer.retryAfter ?? NaN)
  return refusal(answer.status, said?.code ?? '', why, hadCursor, Number.isFinite(seconds) ? seconds * 1000 : undefined)
}
