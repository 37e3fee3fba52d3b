import { type Attack, pause, type Target } from './attacks/attack.ts'
import { wrongAnswers } from './attacks/connection.ts'
import { attacks } from './attacks/index.ts'
import type { Assault, Attacked } from './under-attack.ts'
import { begin, job } from './fork.ts'

/** Milliseconds after which an attack is given up: whatever it waits for then does not come. */
const PATIENCE_MS = 90_000

/** Runs one attack when it is told to, then says so, and its figures when it is told to stop. */
const { name, percent, span, ...given } = job() as Assault
const attack = attacks.find((each) => each.name === name) as Attack
const attacked: Attacked = { answers: {}, notes: [], wrong: [] }
const target: Target = {
  ...given,
  span,
  scaled: (count) => Math.max(1, Math.round((count * percent) / 100)),
  answers: attacked.answers,
  note: (text) => attacked.notes.push(text),
  wrong: (text) => attacked.wrong.push(text),
}
await begin('ready')
const isDone = await Promise.race([
  attack.run(target).then(
    () => true,
    (error: Error) => attacked.wrong.push(`the attack could not go on: ${error.message}`),
  ),
  pause(PATIENCE_MS),
])
if (!isDone) attacked.wrong.push(`not answered within ${PATIENCE_MS / 1000} s`)
const end = await begin('done')
end({ ...attacked, wrong: [...attacked.wrong, ...wrongAnswers(attacked.answers)] })
