import { setTimeout as pause } from 'node:timers/promises'
import type { Attack, Target } from './attacks/attack.ts'
import { attacks } from './attacks/index.ts'
import { replyViolations } from './attacks/replies.ts'
import type { AttackJob, AttackResult } from './under-attack.ts'
import { begin, job } from './fork.ts'

/** Milliseconds after which an attack is abandoned and counts as unanswered. */
const PATIENCE_MS = 90_000

/** Runs one attack when the parent process sends `go`, reports its end, and sends its figures on `stop`. */
const { name, percent, span, ...given } = job() as AttackJob
const attack = attacks.find((each) => each.name === name) as Attack
const result: AttackResult = { replies: {}, notes: [], violations: [] }
const target: Target = {
  ...given,
  span,
  scaled: (count) => Math.max(1, Math.round((count * percent) / 100)),
  replies: result.replies,
  note: (text) => result.notes.push(text),
  violation: (text) => result.violations.push(text),
}
await begin('ready')
const isDone = await Promise.race([
  attack.run(target).then(
    () => true,
    (error: Error) => result.violations.push(`the attack failed: ${error.message}`),
  ),
  pause(PATIENCE_MS),
])
if (!isDone) result.violations.push(`not answered within ${PATIENCE_MS / 1000} s`)
const end = await begin('done')
end({ ...result, violations: [...result.violations, ...replyViolations(result.replies)] })
