import type { GroundPart } from '#words/bundle.ts'

export type ConnectionVerdict = {
  readonly kind: 'decrypt' | 'tunnel' | 'refuse'
  readonly words: string
}

/**
 * Which hosts the TLS door reads: those of the catalog, shared ones only where they are turned on.
 * All others pass unread or are refused, as the ground part says; never read, never half-read.
 */
export function connectionJudge(ground: GroundPart): (host: string) => ConnectionVerdict {
  const on = new Set(ground.sharedHostsOn.map(plainHost))
  const read = new Map<string, string>()
  for (const provider of ground.catalog.providers) {
    for (const { host, shared } of provider.hosts) {
      if (shared !== true || on.has(plainHost(host))) read.set(plainHost(host), provider.name)
    }
  }
  return (host) => {
    const provider = read.get(plainHost(host))
    if (provider !== undefined) return { kind: 'decrypt', words: `a host of ${provider}` }
    if (ground.otherHosts === 'tunnel' || ground.defaultProfile === 'observe') {
      return { kind: 'tunnel', words: 'not in the catalog, so it passes unread' }
    }
    return {
      kind: 'refuse',
      words: `${plainHost(host)} is not in the catalog, and other hosts are refused here`,
    }
  }
}

function plainHost(host: string): string {
  const lower = host.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}
