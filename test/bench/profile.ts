import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

type Profile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
    }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const rowsMax = 30

/** Where the time went, over all profiles of a folder: own time of each function, idle left out. */
export function profileTable(dir: string): string {
  const own = new Map<string, number>()
  let total = 0
  for (const name of readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(join(dir, name), 'utf8')) as Profile
    const places = new Map(profile.nodes.map((node) => [node.id, placeOf(node.callFrame)]))
    for (const [at, sample] of profile.samples.entries()) {
      const place = places.get(sample) ?? '?'
      if (place === '(idle)' || place === '(program)') continue
      const us = profile.timeDeltas[at] ?? 0
      total += us
      own.set(place, (own.get(place) ?? 0) + us)
    }
  }
  const most = [...own].sort(([, a], [, b]) => b - a).slice(0, rowsMax)
  const lines = most.map(
    ([place, us]) => `${((100 * us) / total).toFixed(1).padStart(5)} %  ${place}`,
  )
  return `own time, ${(total / 1e6).toFixed(1)} s busy\n${lines.join('\n')}\n`
}

function placeOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  if (url === '') return functionName
  const file = url.startsWith('file:') ? relative('.', fileURLToPath(url)) : url
  return `${functionName || '(anonymous)'}  ${file}:${lineNumber + 1}`
}
