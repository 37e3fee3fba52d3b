import type { IncomingMessage } from 'node:http'
import { hasPendingReply } from './replies.ts'

/**
 * Node's `shouldUpgradeCallback`: whether a request is a WebSocket handshake (RFC 6455, section 4.1: GET, HTTP/1.1). By
 * default Node hands over the socket of every Upgrade request, and then neither answers it nor closes it at a stop; but
 * curl, for example, sends Upgrade to offer HTTP/2. A request with a body is not upgraded, because the body would be read
 * as frames, nor one behind an unanswered request, whose reply would be lost.
 */
export const isHandshake = ({ method, httpVersion, headers, socket }: IncomingMessage): boolean =>
  method === 'GET' &&
  httpVersion === '1.1' &&
  /^websocket$/i.test(String(headers.upgrade)) &&
  (headers['content-length'] ?? '0') === '0' &&
  headers['transfer-encoding'] === undefined &&
  !hasPendingReply(socket)
