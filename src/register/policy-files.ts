import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'

export type PolicyFiles = {
  /** Cedar text by file name. */
  readonly policies: Readonly<Record<string, string>>
  readonly schema: string
}

/**
 * Reads `*.cedar` and the one `*.cedarschema` of a folder. Whether they hold is for `decide` to
 * say; here a missing schema or folder is a fault, because gates must never enforce nothing.
 */
export function readPolicyFiles(dir: string): PolicyFiles {
  const names = existsSync(dir) ? readdirSync(dir).sort() : []
  const policies: Record<string, string> = {}
  const schemas: string[] = []
  let bytes = 0
  for (const name of names) {
    if (!/\.cedar(?:schema)?$/.test(name)) continue
    const text = readFileSync(join(dir, name), 'utf8')
    bytes += Buffer.byteLength(text)
    if (name.endsWith('.cedarschema')) schemas.push(text)
    else policies[name] = text
  }
  const [schema] = schemas
  if (schema === undefined || schemas.length > 1 || Object.keys(policies).length === 0) {
    throw new Fault('policy-invalid', {
      outward: `${dir} must hold *.cedar files and exactly one *.cedarschema file.`,
    })
  }
  if (bytes > limits.registerFileBytesMax) {
    throw new Fault('policy-invalid', {
      outward: `${dir} holds ${bytes} bytes of policy; at most ${limits.registerFileBytesMax} are read.`,
    })
  }
  return { policies, schema }
}
