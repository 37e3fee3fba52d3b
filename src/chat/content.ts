import { AppError, invalid } from '../errors.ts'

/** Maximum size of the metadata of a message, in bytes of JSON. */
export const MAX_METADATA_BYTES = 1024

/** @throws AppError `VALIDATION_FAILED` if `content` has more than `max` code points */
export const checkContent = (content: string, max: number) => {
  // A code point has one or two UTF-16 units, so most contents need no count.
  if (content.length <= max) return
  let length = 0
  for (const _ of content) length += 1
  if (length > max)
    throw invalid(
      '/content',
      `must not be longer than ${max.toLocaleString('en')} characters; it has ${length.toLocaleString('en')}`,
    )
}

/** JSON escape of U+0000 or of a lone surrogate. Many JSON parsers reject the whole message because of one. */
const illFormed = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/**
 * @returns `metadata` as JSON
 * @throws AppError `VALIDATION_FAILED` if the JSON is longer than 1 KiB or is not well-formed Unicode, or if a number is too
 *   large for a double
 */
export const metadataText = (metadata: Record<string, unknown>): string => {
  const text = stringify(metadata)
  if (text === undefined || Buffer.byteLength(text) > MAX_METADATA_BYTES) {
    throw invalid('/metadata', `must be at most ${MAX_METADATA_BYTES} bytes of JSON`)
  }
  if (illFormed.test(text)) throw invalid('/metadata', 'must be well-formed Unicode without U+0000')
  return text
}

/** @returns undefined if the value is nested deeper than the stack allows. JSON.parse has no such limit. */
const stringify = (value: object): string | undefined => {
  try {
    return JSON.stringify(value, refuseInfinity)
  } catch (error) {
    if (error instanceof AppError) throw error
    return undefined
  }
}

/** JSON.parse reads `1e999` as Infinity, which JSON.stringify would write as null. */
const refuseInfinity = (_key: string, value: unknown) => {
  if (value !== Infinity && value !== -Infinity) return value
  throw invalid('/metadata', 'must not have a number beyond 1.7976931348623157e308, the largest double')
}
