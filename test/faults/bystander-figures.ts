/**
 * What a bystander measured. It sends messages to itself. A send that was refused for a while is retried after the hint, and its
 * time counts from the first attempt.
 */
export type BystanderFigures = {
  sent: number
  acknowledged: number
  received: number
  /** Refusals with a retry hint. */
  refused: number
  p50_ms: number
  p99_ms: number
  slowest_ms: number
  /** Duplicates, falling ids, refusals without a hint, and closed sockets. */
  violations: string[]
}

/** @returns the violations of a bystander, lost messages included. */
export const bystanderViolations = ({
  sent,
  acknowledged,
  received,
  violations,
}: BystanderFigures): string[] => [
  ...(acknowledged < sent || received < sent
    ? [`${sent} messages of a bystander: ${acknowledged} were acknowledged and ${received} received`]
    : []),
  ...violations,
]
