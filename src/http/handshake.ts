import type { IncomingMessage } from 'node:http'
import { isAnswering } from './replies.ts'

/**
 * Whether a request leaves HTTP for a WebSocket. Node takes every Upgrade for one, and then neither answers the request nor
 * closes its connection at a stop. What is no handshake (RFC 6455, 4.1: a GET of HTTP/1.1) is an ordinary request, such as
 * the offer of HTTP/2 that curl makes. A body would be taken for frames; and a reply that is still to leave would be lost.
 */
export const isHandshake = ({ method, httpVersion, headers, socket }: IncomingMessage): boolean =>
  method === 'GET' &&
  httpVersion === '1.1' &&
  /^websocket$/i.test(String(headers.upgrade)) &&
  (headers['content-length'] ?? '0') === '0' &&
  headers['transfer-encoding'] === undefined &&
  !isAnswering(socket)
