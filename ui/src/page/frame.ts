// Between the stream and the screen: the latest value of each key waits here for the next frame. A busy second costs
// one paint per key and frame, and a hidden tab, which gets no frames, holds one value per key and no queue.

export class FrameBuffer<K, V> {
  /** Values put in, painted, and replaced by a newer one before they were painted. */
  received = 0
  painted = 0
  private readonly waiting = new Map<K, V>()
  private scheduled = false
  private held = false

  constructor(
    private readonly paint: (changed: ReadonlyMap<K, V>) => void,
    private readonly nextFrame: (flush: () => void) => void = (flush) => requestAnimationFrame(flush),
  ) {}

  get conflated(): number {
    return this.received - this.painted - this.waiting.size
  }

  put(key: K, value: V): void {
    this.received++
    this.waiting.set(key, value)
    this.schedule()
  }

  /** While held nothing is painted; the latest values are when it is let go. */
  hold(held: boolean): void {
    this.held = held
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled || this.held || this.waiting.size === 0) return
    this.scheduled = true
    this.nextFrame(() => {
      this.scheduled = false
      if (this.held) return
      const changed = new Map(this.waiting)
      this.waiting.clear()
      this.painted += changed.size
      this.paint(changed)
    })
  }
}
