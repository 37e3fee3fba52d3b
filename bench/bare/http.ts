/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import fastify from 'fastify'
import { ref, UsernameParams } from '../../schemas/common.ts'
import { namedSchemas } from '../../schemas/index.ts'
import { type Message, MessageList, PageQuery, SendRequest, SentMessage } from '../../schemas/message.ts'
import { coercingAjv, strictAjv } from '../../schemas/validation.ts'
import { CONTENT, nameOf, uuidv7 } from '../load/identity.ts'

/** Fastify with the same schemas and constant answers: the lower bound of a reply's cost. */
const message = (id: number): Message => ({
  id,
  conversation_id: 1,
  sender: nameOf(0),
  sender_id: 1,
  receiver: nameOf(1),
  receiver_id: 2,
  content: CONTENT,
  timestamp: new Date().toISOString(),
  client_id: uuidv7(),
})
const sent = { status: 'sent' as const, ...message(1) }
const rows = Array.from({ length: 50 }, (_, index) => {
  const { client_id, ...rest } = message(100_000 + index)
  // Half of the product's rows were sent by the reader and carry a `client_id`.
  return index % 2 === 0 ? rest : { ...rest, client_id }
})

const app = fastify()
for (const schema of namedSchemas) app.addSchema(schema)
app.setValidatorCompiler(({ schema, httpPart }) =>
  (httpPart === 'body' ? strictAjv : coercingAjv).compile(schema as object),
)
app.post(
  '/send',
  { schema: { body: ref(SendRequest), response: { 200: ref(SentMessage) } } },
  async () => sent,
)
app.get(
  '/history/:username',
  { schema: { params: UsernameParams, querystring: PageQuery, response: { 200: ref(MessageList) } } },
  async () => rows,
)
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })}`)
