import { invalid } from '../errors.ts'

/** Bytes of JSON that a message's metadata may take. */
export const MAX_METADATA_BYTES = 1024

/** @throws AppError `VALIDATION_FAILED` when `content` has more than `max` code points */
export const checkContent = (content: string, max: number) => {
  // A code point takes at most two units: most contents need no counting.
  if (content.length <= max) return
  let length = 0
  for (const _ of content) length += 1
  if (length > max)
    throw invalid(
      '/content',
      `must not be longer than ${max.toLocaleString('en')} characters; it has ${length.toLocaleString('en')}`,
    )
}

/** JSON's escape of U+0000 or of half a surrogate pair: many a receiver could not parse the whole message. */
const illFormed = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/** @returns its JSON. @throws AppError `VALIDATION_FAILED` when that is longer than 1 KiB, or ill-formed Unicode */
export const metadataText = (metadata: Record<string, unknown>): string => {
  const text = stringify(metadata)
  if (text === undefined || Buffer.byteLength(text) > MAX_METADATA_BYTES) {
    throw invalid('/metadata', `must be at most ${MAX_METADATA_BYTES} bytes of JSON`)
  }
  if (illFormed.test(text)) throw invalid('/metadata', 'must be well-formed Unicode without U+0000')
  return text
}

/** @returns undefined for what is nested deeper than the stack: JSON.parse takes any depth, and stringify does not. */
const stringify = (value: object): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
