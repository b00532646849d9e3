import { createRequire } from 'node:module'
import type * as CedarWasm from '@cedar-policy/cedar-wasm/nodejs'

/**
 * The reference implementation: parses and validates policies, and is the oracle at run time. Four
 * megabytes of WebAssembly, loaded when first asked for.
 */
export function cedarWasm(): typeof CedarWasm {
  return createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as typeof CedarWasm
}
