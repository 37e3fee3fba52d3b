import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { namedSchemas } from './index.ts'
import { type FieldError, fieldError, type RequestPart } from '../src/errors.ts'

// Our own schemas need no check against the schema of schemas, which would take 100 ms of every start.
const options: Options = { strict: false, meta: false, validateSchema: false }

const createAjv = (more: Options) => {
  const ajv = new Ajv({ ...options, ...more })
  // JSON can write what no UTF-8 can carry: lone surrogates. U+0000 ends strings in too many places.
  ajv.addFormat('text', (text: string) => text.isWellFormed() && !text.includes('\0'))
  ajv.addFormat('date-time', true)
  // For generators; the range is checked by minimum and maximum.
  ajv.addFormat('int64', true)
  ajv.addSchema(namedSchemas)
  return ajv
}

/** Validates bodies and frames: nothing is changed, an unknown member is refused. */
export const strictAjv = createAjv({})

/** Validates what can only come as text: query strings, path parameters, headers. */
export const coercingAjv = createAjv({ coerceTypes: true, useDefaults: true })

/** A validator as Fastify and the sockets call it: whether `data` is right, and if not, `errors`. */
export type Validator = { (data: unknown): boolean; errors?: ErrorObject[] | null }

/** @returns a validator that is compiled when it is first called: most of a start would be compiling. */
export const lazyValidator = (compile: () => ValidateFunction): Validator => {
  let compiled: ValidateFunction | undefined
  const validate: Validator = (data) => {
    compiled ??= compile()
    const isRight = compiled(data)
    validate.errors = compiled.errors ?? null
    return isRight
  }
  return validate
}

/** @returns what is wrong where: JSON pointers into what was validated, and messages that name the member. */
export const fieldErrors = (
  errors: readonly ErrorObject[] | null | undefined,
  part?: RequestPart,
): FieldError[] =>
  (errors as readonly ErrorObject[]).map((error) => {
    const { instancePath, keyword, message, params } = error
    if (keyword === 'additionalProperties') {
      return fieldError(`${instancePath}/${params.additionalProperty}`, 'is not a known member', part)
    }
    if (keyword === 'required')
      return fieldError(`${instancePath}/${params.missingProperty}`, 'is missing', part)
    return fieldError(instancePath, rules[keyword]?.(params) ?? (message as string), part)
  })

const count = (limit: number) => limit.toLocaleString('en')

/** What Ajv's keywords ask for, in our words. */
const rules: Record<string, (params: ErrorObject['params']) => string> = {
  format: () => 'must be well-formed Unicode without U+0000',
  minLength: () => 'must not be empty',
  maxLength: ({ limit }) => `must not be longer than ${count(limit)} characters`,
  minimum: ({ limit }) => `must be at least ${count(limit)}`,
  maximum: ({ limit }) => `must be at most ${count(limit)}`,
  maxItems: ({ limit }) => `must not have more than ${count(limit)} items`,
  minProperties: () => 'must not be empty',
  type: ({ type }) => `must be ${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`,
}
