import { Type } from '@sinclair/typebox'
import { CursorInput, request } from './common.ts'

/** The only subprotocol that the server selects. A client may offer its token as another one; it is never echoed. */
export const PROTOCOL = 'messenger.v1'

export const SocketQuery = request({ cursor: Type.Optional(CursorInput) })

/** OpenAPI extension of the route `GET /ws`: the frames that the open socket carries. */
export const socketFrames = {
  'x-websocket': {
    subprotocol: PROTOCOL,
    sends: { $ref: '#/components/schemas/ClientFrame' },
    receives: { $ref: '#/components/schemas/ServerFrame' },
  },
}
