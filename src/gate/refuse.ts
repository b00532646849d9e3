import type { Content } from '#words/content.ts'
import type { OpenEntry, Outcome } from '#words/entry.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { FaultCode } from '#words/fault-codes.ts'
import type { Fault } from '#words/faults.ts'
import type { Verdict } from '#words/verdict.ts'
import { refuse } from '#wire/refusal.ts'
import type { Reply } from './reply.ts'
import type { Arrival } from './rooms.ts'

/** Answers with a refusal that the person at the other end can read, and closes the entry. */
export function refuseVerdict(
  exchange: Exchange,
  caller: Caller,
  content: Content,
  verdict: Verdict,
  reply: Reply,
  entry: OpenEntry,
): void {
  const answer = refuse({
    wire: exchange.wire,
    door: exchange.door,
    transport: exchange.transport,
    tool: caller.tool,
    stream: content.stream,
    message: verdict.message,
  })
  reply.whole(answer.status, answer.headers.flat(), answer.body)
  entry.close(
    outcomeOf({
      result: 'refused',
      status: answer.status,
      bytesUp: exchange.body.length,
      bytesDown: answer.body.length,
    }),
  )
}

/**
 * HTTP status of each fault. Whatever is missing here is our own failure: 500. A policy refusal
 * never comes this way, so a client's retry of a 503 is a retry of something that may pass.
 */
const statusOf: Partial<Record<FaultCode, number>> = {
  'token-missing': 401,
  'token-malformed': 401,
  'token-unknown': 401,
  'token-expired': 401,
  'token-revoked': 401,
  'launch-invalid': 401,
  'token-not-for-provider': 403,
  'credential-misdirected': 403,
  'endpoint-unknown': 404,
  'host-not-permitted': 403,
  'address-refused': 403,
  'request-malformed': 400,
  'body-too-large': 413,
  busy: 503,
  'upstream-unreachable': 502,
  'spool-full': 503,
  'clock-stepped': 503,
  'bundle-expired': 503,
}

export function statusOfFault(fault: Fault): number {
  return statusOf[fault.code] ?? 500
}

/** Says a fault in the tool's own wire format. */
export function refuseFault(arrival: Arrival, tool: string, fault: Fault, reply: Reply): void {
  const status = statusOfFault(fault)
  const answer = refuse({
    wire: arrival.route.wire,
    door: arrival.door,
    transport: arrival.transport,
    tool,
    stream: false,
    message: `Postern: ${fault.outward} ${fault.advice}`,
    status,
  })
  const headers = answer.headers.flat()
  if (status === 503) headers.push('retry-after', '5')
  reply.whole(answer.status, headers, answer.body)
}

/** An outcome with everything that is not given at its "none" value. */
export function outcomeOf(
  known: Partial<Outcome> & { readonly result: Outcome['result'] },
): Outcome {
  return {
    status: 0,
    bytesUp: 0,
    bytesDown: 0,
    firstByteMs: -1,
    totalMs: 0,
    inputTokens: -1,
    outputTokens: -1,
    stopReason: '',
    findings: {},
    fault: '',
    ...known,
  }
}
