import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { homePaths, readRoot } from '#api/home.ts'
import { callRegister } from '#register/calls.ts'
import type { RegisterAnswer, RegisterCall, RegisterInput } from '#register/calls.ts'
import { openRegisterAlone } from '#register/open.ts'
import { realWorld } from '#words/clock.ts'
import { faultAdvice } from '#words/fault-codes.ts'
import type { FaultCode } from '#words/fault-codes.ts'
import { Fault, isFault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'

/**
 * Asks the register: over control's socket when control runs, else in this process under the lock
 * that control takes. Either way the same calls, and the same faults.
 */
export async function askRegister<Name extends RegisterCall>(
  home: string,
  name: Name,
  input: RegisterInput<Name>,
): Promise<RegisterAnswer<Name>> {
  const { controlSocket } = homePaths(home)
  if (existsSync(controlSocket)) {
    try {
      return (await overSocket(controlSocket, name, input)) as RegisterAnswer<Name>
    } catch (fault) {
      // A socket that a killed process left behind.
      if (!isFault(fault, 'control-unreachable')) throw fault
    }
  }
  await using register = await openRegisterAlone({ home, world: realWorld, root: readRoot(home) })
  return await callRegister(register.service, name, input)
}

function overSocket(socketPath: string, name: string, input: unknown): Promise<unknown> {
  const body = Buffer.from(JSON.stringify(input ?? {}))
  return new Promise((resolve, reject) => {
    const req = request(
      {
        socketPath,
        method: 'POST',
        path: `/v1/register/${name}`,
        headers: {
          host: 'control',
          'content-type': 'application/json',
          'content-length': body.length,
        },
      },
      (res) => {
        const chunks: Buffer[] = []
        let bytes = 0
        res.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > limits.apiBodyBytesMax) {
            req.destroy(new Error('the answer is too large'))
          } else chunks.push(chunk)
        })
        res.on('error', reject)
        res.on('end', () => {
          try {
            const text = Buffer.concat(chunks).toString('utf8')
            const value: unknown = text === '' ? null : JSON.parse(text)
            if (res.statusCode === 200 || res.statusCode === 204) resolve(value)
            else reject(faultOf(value, res.statusCode ?? 0))
          } catch (cause) {
            reject(
              new Fault('control-unreachable', {
                outward: 'Control answered with no JSON.',
                cause,
              }),
            )
          }
        })
      },
    )
    req.on('error', (cause) => {
      reject(
        new Fault('control-unreachable', {
          outward: 'Control does not answer on its socket.',
          cause,
        }),
      )
    })
    req.end(body)
  })
}

function faultOf(value: unknown, status: number): Fault {
  const error =
    typeof value === 'object' && value !== null && 'error' in value ? value.error : undefined
  const { code, outward } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown
    outward?: unknown
  }
  return new Fault(
    typeof code === 'string' && Object.hasOwn(faultAdvice, code) ? (code as FaultCode) : 'usage',
    {
      outward: typeof outward === 'string' ? outward : `Control answered with status ${status}.`,
    },
  )
}
