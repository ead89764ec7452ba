// A line that can be made slow: a TCP proxy in front of the node that passes on so many bytes a second to the browser.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

const tickMs = 50

export class Line {
  private readonly sockets = new Set<Socket>()
  private bytesPerSecond = Infinity

  private constructor(private readonly server: Server) {}

  static async to(node: string): Promise<Line> {
    const { hostname, port } = new URL(node)
    const server = createServer()
    const line = new Line(server)
    server.on('connection', (browser) => {
      line.carry(browser, connect(Number(port), hostname))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return line
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Slows each connection down; Infinity releases them. */
  throttle(bytesPerSecond: number): void {
    this.bytesPerSecond = bytesPerSecond
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private carry(browser: Socket, node: Socket): void {
    browser.pipe(node)
    const timer = setInterval(() => {
      this.pass(node, browser)
    }, tickMs)
    const end = (): void => {
      clearInterval(timer)
      browser.destroy()
      node.destroy()
      this.sockets.delete(browser)
    }
    node.on('readable', () => {
      if (this.bytesPerSecond === Infinity) this.pass(node, browser)
    })
    node.on('end', () => {
      this.pass(node, browser, Infinity)
      browser.end()
    })
    for (const socket of [browser, node]) socket.on('error', end).on('close', end)
    this.sockets.add(browser)
  }

  /** Passes on a tick's share of what has come. What is left stays in the sockets, as it would on the way. */
  private pass(node: Socket, browser: Socket, rate = this.bytesPerSecond): void {
    const most = Math.min(node.readableLength, Math.ceil((rate * tickMs) / 1000))
    const part = most > 0 ? (node.read(most) as Buffer | null) : null
    if (part !== null && !browser.destroyed) browser.write(part)
  }
}
