import { request } from 'node:http'
import { Fault } from '#words/faults.ts'
import { faultAdvice } from '#words/fault-codes.ts'
import type { FaultCode } from '#words/fault-codes.ts'
import { limits } from '#words/limits.ts'
import { homePaths } from './home.ts'

/**
 * One call of control's API over its socket. Throws `control-unreachable` when nobody answers, and
 * the fault that control named when it refuses.
 */
export async function askControl<Answer>(
  home: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const { controlSocket: socketPath } = homePaths(home)
  const { status, text } = await exchange(socketPath, method, path, body)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Fault('control-unreachable', { outward: 'Control answered with no JSON.', cause })
  }
  if (status === 200) return value as Answer
  const { error } = value as { error?: { code?: string; outward?: string } }
  const code = error?.code !== undefined && error.code in faultAdvice ? error.code : 'usage'
  throw new Fault(code as FaultCode, {
    outward: error?.outward ?? `Control answered with status ${status}.`,
  })
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const unreachable = (cause: unknown): void =>
      reject(new Fault('control-unreachable', { outward: 'Control does not answer.', cause }))
    const headers = { host: 'control', 'content-type': 'application/json' }
    const outgoing = request({ socketPath, method, path, headers, timeout: 120_000 }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > limits.apiBodyBytesMax) outgoing.destroy(new Error('the answer is too large'))
        else chunks.push(chunk)
      })
      answer.on('error', unreachable)
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')))
    outgoing.on('error', unreachable)
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
