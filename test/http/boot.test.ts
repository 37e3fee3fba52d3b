import fastify from 'fastify'
import t from 'tap'
import { validation } from '../../plugins/validation.ts'

t.test('a route without request and response schemas stops the start', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(validation)
  const handler = () => 'x'
  const response = { 200: { type: 'string' } }
  t.throws(() => app.get('/', handler), /GET \/ has no schema/)
  t.throws(() => app.post('/', { schema: { response } }, handler), /POST \/ has no schema/)
  t.doesNotThrow(() => app.get('/', { schema: { response } }, handler))
})
