import { invalid } from '../errors.ts'

/** Bytes of JSON that a message's metadata may take. */
export const MAX_METADATA_BYTES = 1024

/** @throws AppError `VALIDATION_FAILED` when `content` has more than `max` code points */
export const checkContent = (content: string, max: number) => {
  // A code point takes at most two units: most contents need no counting.
  if (content.length <= max) return
  let length = 0
  for (const _ of content) length += 1
  if (length > max) throw invalid('/content', `must NOT have more than ${max} characters; it has ${length}`)
}

/** @returns its JSON. @throws AppError `VALIDATION_FAILED` when that is longer than 1 KiB */
export const metadataText = (metadata: Record<string, unknown>): string => {
  const text = JSON.stringify(metadata)
  if (Buffer.byteLength(text) > MAX_METADATA_BYTES) {
    throw invalid('/metadata', `must be at most ${MAX_METADATA_BYTES} bytes of JSON`)
  }
  return text
}
