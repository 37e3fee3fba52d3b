import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A TCP proxy that can be disconnected and connected again. A disconnection resets its connections. */
export const startCable = async (t: Test, port: number) => {
  const sockets = new Set<Socket>()
  let isDisconnected = false
  const cable = createServer((near) => {
    if (isDisconnected) {
      near.resetAndDestroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(cable, 'listening')
  const pull = () => {
    isDisconnected = true
    for (const socket of sockets) socket.resetAndDestroy()
  }
  t.teardown(() => {
    pull()
    cable.close()
  })
  return {
    url: `http://127.0.0.1:${(cable.address() as AddressInfo).port}`,
    pull,
    plug() {
      isDisconnected = false
    },
  }
}
