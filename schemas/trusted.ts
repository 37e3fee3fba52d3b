import type { Options } from 'ajv'

/**
 * Options of Ajv that skip the validation of the schemas themselves, which takes a third of the start of a bundled server.
 * The schemas are constants, and a test validates them.
 */
export const trusted: Options = { meta: false, validateSchema: false }
