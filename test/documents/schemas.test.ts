import { Ajv } from 'ajv'
import t from 'tap'
import { Environment } from '../../schemas/environment.ts'
import { namedSchemas } from '../../schemas/index.ts'

t.test('every schema is valid, which a start does not check', async (t) => {
  const ajv = new Ajv({ strict: false, formats: { text: true, https: true, 'date-time': true, int64: true } })
  t.ok(namedSchemas.length > 20)
  for (const schema of [...namedSchemas, Environment]) {
    t.ok(ajv.validateSchema(schema), `${schema.$id ?? 'Environment'}: ${ajv.errorsText()}`)
  }
  t.notOk(ajv.validateSchema({ type: 'object', properties: { name: { minLength: 'one' } } }))
})
