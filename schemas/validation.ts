import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { namedSchemas } from './index.ts'
import { patterns } from './patterns.ts'
import { trusted } from './trusted.ts'
import { type FieldError, fieldError, type RequestPart } from '../src/errors.ts'

const createAjv = (more: Options) => {
  const ajv = new Ajv({ strict: false, ...trusted, ...more })
  // JSON escapes can contain lone surrogates, which UTF-8 cannot encode. U+0000 terminates strings in many languages.
  ajv.addFormat('text', (text: string) => text.isWellFormed() && !text.includes('\0'))
  ajv.addFormat('https', isHttpsUrl)
  ajv.addFormat('date-time', true)
  // A hint for generators. `minimum` and `maximum` check the range.
  ajv.addFormat('int64', true)
  ajv.addSchema(namedSchemas)
  return ajv
}

/** The URL standard ignores spaces around a URL, and tabs and line breaks in it. */
const isHttpsUrl = (text: string) =>
  /^https:\/\/[^\s\p{Cc}]+$/u.test(text) && text.isWellFormed() && URL.canParse(text)

/** Validates bodies and frames. Changes nothing and rejects unknown members. */
export const strictAjv = createAjv({})

/** Validates query strings, path parameters and headers. Converts their text to the type of the schema. */
export const coercingAjv = createAjv({ coerceTypes: true, useDefaults: true })

/** A validator as Fastify and the sockets call it. If it returns false, `errors` says why. */
export type Validator = { (data: unknown): boolean; errors?: ErrorObject[] | null }

/** @returns a validator that is compiled at its first call. Compiling all schemas would dominate the start time. */
export const lazyValidator = (compile: () => ValidateFunction): Validator => {
  let compiled: ValidateFunction | undefined
  const validate: Validator = (data) => {
    compiled ??= compile()
    const isValid = compiled(data)
    validate.errors = compiled.errors ?? null
    return isValid
  }
  return validate
}

/**
 * @param part the part of the request that was validated
 * @returns one error per invalid member: a JSON pointer and a message that names the member
 */
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

const ruleOf = new Map(Object.values(patterns).map(({ pattern, rule }) => [pattern, rule]))

/** Error messages by keyword of Ajv. */
const rules: Record<string, (params: ErrorObject['params']) => string> = {
  format: ({ format }) =>
    format === 'https'
      ? 'must be an absolute URL with the scheme https'
      : 'must be well-formed Unicode without U+0000',
  minLength: () => 'must not be empty',
  maxLength: ({ limit }) => `must not be longer than ${count(limit)} characters`,
  minimum: ({ limit }) => `must be at least ${count(limit)}`,
  maximum: ({ limit }) => `must be at most ${count(limit)}`,
  pattern: ({ pattern }) => ruleOf.get(pattern) as string,
  minItems: () => 'must not be empty',
  uniqueItems: () => 'must not have the same item twice',
  maxItems: ({ limit }) => `must not have more than ${count(limit)} items`,
  minProperties: () => 'must not be empty',
  type: ({ type }) => `must be ${/^[aio]/.test(type) ? 'an' : 'a'} ${[type].flat().join(' or ')}`,
}
