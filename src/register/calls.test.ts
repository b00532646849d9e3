import { expect, test } from 'vitest'
import { answerRegister, callRegister, registerCalls } from './calls.ts'
import type { RegisterCall } from './calls.ts'
import type { RegisterService } from './service.ts'

const service = {
  show: (input: unknown) => input,
  apply: (input: unknown) => Promise.resolve(input),
} as unknown as RegisterService

test('parameters become types at one place, and nothing else comes in', async () => {
  expect(await callRegister(service, 'show', { atMs: 1 })).toEqual({ atMs: 1 })
  await expect(callRegister(service, 'show', { at: 1 })).rejects.toMatchObject({ code: 'usage' })
  await expect(callRegister(service, 'show', { atMs: 'x' })).rejects.toMatchObject({
    code: 'usage',
  })
  expect(await callRegister(service, 'apply', undefined)).toEqual({})
})

test.each(['nothing', '__proto__', 'constructor', 'toString'])(
  'there is no call %s',
  async (name) => {
    await expect(callRegister(service, name as RegisterCall, {})).rejects.toMatchObject({
      code: 'not-found',
    })
  },
)

test('every call has a name that a path can carry', () => {
  expect(registerCalls.every((name) => /^[a-z]+(?:-[a-z]+)*$/.test(name))).toBe(true)
})

test('over HTTP a fault has a status, its code and advice', async () => {
  expect(await answerRegister(service, 'show', {})).toEqual({ status: 200, body: {} })
  expect(await answerRegister(service, 'hide', {})).toMatchObject({
    status: 404,
    body: { error: { code: 'not-found', advice: expect.any(String) as string } },
  })
})
