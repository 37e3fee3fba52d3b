import { readFileSync } from 'node:fs'

/** Preloaded into a thread (`--import`): the file TEST_CLOCK holds its time, in milliseconds since 1970. */
const path = process.env.TEST_CLOCK as string
Date.now = () => Number(readFileSync(path, 'utf8'))
