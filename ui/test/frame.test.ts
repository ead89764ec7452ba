import { describe, expect, it } from 'vitest'
import { FrameBuffer } from '../src/page/frame.ts'

function make() {
  const frames: (() => void)[] = []
  const painted: [string, number][][] = []
  const buffer = new FrameBuffer<string, number>(
    (changed) => painted.push([...changed]),
    (flush) => frames.push(flush),
  )
  const frame = () => {
    for (const flush of frames.splice(0)) flush()
  }
  return { buffer, frames, painted, frame }
}

describe('the frame buffer', () => {
  it('paints the latest of each key, once a frame', () => {
    const { buffer, frames, painted, frame } = make()
    buffer.put('a', 1)
    buffer.put('b', 2)
    buffer.put('a', 3)
    expect(frames).toHaveLength(1)
    frame()
    expect(painted).toEqual([
      [
        ['a', 3],
        ['b', 2],
      ],
    ])
    frame()
    expect(painted).toHaveLength(1)
    expect(buffer).toMatchObject({ received: 3, painted: 2, conflated: 1 })
  })

  it('keeps one value per key while no frame comes', () => {
    const { buffer, frames, frame, painted } = make()
    for (let i = 1; i <= 10_000; i++) buffer.put(i % 2 === 0 ? 'even' : 'odd', i)
    expect(frames).toHaveLength(1)
    frame()
    expect(painted[0]).toHaveLength(2)
    expect(buffer.conflated).toBe(9_998)
  })

  it('paints nothing while it is held, then the latest', () => {
    const { buffer, frame, painted } = make()
    buffer.put('a', 1)
    buffer.hold(true)
    frame()
    buffer.put('a', 2)
    frame()
    expect(painted).toEqual([])
    buffer.hold(false)
    frame()
    expect(painted).toEqual([[['a', 2]]])
  })

  it('takes what comes during a paint for the next frame', () => {
    const frames: (() => void)[] = []
    let paints = 0
    const buffer = new FrameBuffer<string, number>(
      () => {
        if (++paints === 1) buffer.put('a', 2)
      },
      (flush) => frames.push(flush),
    )
    buffer.put('a', 1)
    frames.shift()?.()
    expect(frames).toHaveLength(1)
    frames.shift()?.()
    expect(paints).toBe(2)
  })
})
