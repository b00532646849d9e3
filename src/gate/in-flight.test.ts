import { expect, test } from 'vitest'
import { InFlight } from './in-flight.ts'

const bounds = { bytesMax: 100, waitMs: 50, waitersMax: 2 }

test('waits for room in order, oldest first', async () => {
  const flight = new InFlight(bounds)
  const first = await flight.hold(80)
  const order: string[] = []
  const second = flight.hold(60).then((hold) => {
    order.push('second')
    return hold
  })
  const third = flight.hold(10).then((hold) => {
    order.push('third')
    return hold
  })
  expect(flight.bytes).toBe(80)
  first[Symbol.dispose]()
  const held = await Promise.all([second, third])
  expect(order).toEqual(['second', 'third'])
  expect(flight.bytes).toBe(70)
  for (const hold of held) hold[Symbol.dispose]()
  expect(flight.bytes).toBe(0)
})

test('says busy after the wait, and at once when the line is full', async () => {
  const flight = new InFlight(bounds)
  using _all = await flight.hold(100)
  const waiting = [flight.hold(1), flight.hold(1)]
  await expect(flight.hold(1)).rejects.toMatchObject({ code: 'busy' })
  for (const late of waiting) await expect(late).rejects.toMatchObject({ code: 'busy' })
  expect(flight.bytes).toBe(100)
})

test('one request larger than the bound passes alone', async () => {
  const flight = new InFlight(bounds)
  using huge = await flight.hold(1_000)
  expect(flight.bytes).toBe(1_000)
  await expect(huge.grow(1)).rejects.toMatchObject({ code: 'busy' })
})
