import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Catalog } from '#words/catalog.ts'
import type { World } from '#words/clock.ts'
import { createAuthority } from './authority.ts'
import type { PemPair } from './certificate-parts.ts'

/**
 * The gate's certificate authority on disk: `ca.pem` for every trust store, `ca.key` for nobody.
 *
 * Made at the first start for the registrable domains of the catalog. A catalog that grows beyond
 * them needs a new authority; until then the new hosts are refused, never mis-signed.
 */
export async function openAuthorityFiles(input: {
  readonly dir: string
  readonly world: World
  readonly catalog: Catalog
  readonly name: string
}): Promise<PemPair> {
  const certFile = join(input.dir, 'ca.pem')
  const keyFile = join(input.dir, 'ca.key')
  if (!existsSync(keyFile) || !existsSync(certFile)) {
    mkdirSync(input.dir, { recursive: true, mode: 0o700 })
    const hosts = input.catalog.providers.flatMap((provider) =>
      provider.hosts.filter((host) => host.shared !== true).map((host) => host.host),
    )
    const made = await createAuthority({
      permitted: [...new Set(hosts.map(registrableDomain))].toSorted(),
      name: input.name,
      world: input.world,
    })
    // The key first: a certificate whose key was lost would be trusted for nothing.
    writeFileSync(keyFile, made.keyPem, { mode: 0o600 })
    chmodSync(keyFile, 0o600)
    writeFileSync(certFile, made.certPem, { mode: 0o644 })
  }
  return { certPem: readFileSync(certFile, 'utf8'), keyPem: readFileSync(keyFile, 'utf8') }
}

/**
 * The domain that somebody registered: two labels, three under a country's second level
 * (`example.co.uk`). Short of a public suffix list this errs to the narrow side only for suffixes
 * that the catalog does not have.
 */
export function registrableDomain(host: string): string {
  const labels = host.split('.')
  const top = labels.at(-1) ?? ''
  const second = labels.at(-2) ?? ''
  const three = top.length === 2 && /^(?:com?|ac|gov|net|org|edu)$/.test(second)
  return labels.slice(three ? -3 : -2).join('.')
}
