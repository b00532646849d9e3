import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import type { NodeId } from '#words/ids.ts'
import { folderSource } from '#record/log-source.ts'
import { makeProofFile } from '#record/proof-file.ts'
import { createSequencer } from '#record/sequencer.ts'
import { readBundle, readTile } from '#record/tiles.ts'
import * as some from '#test/bench/record-fixture.ts'
import { suite } from '#test/harness/needs.ts'

const run = promisify(execFile)

/**
 * Reads our log with the Go team's own packages: `note` opens the checkpoint, `tlog` computes the
 * root of every prefix from our bundles, reads our tiles, and checks a proof of each kind.
 */
const program = `package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
}

type folder struct{ dir string }

func (f folder) Height() int { return 8 }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		// Path() gives tile/8/<level>/<n>; the C2SP layout leaves the height out.
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func main() {
	dir, vkey, proofFile := os.Args[1], os.Args[2], os.Args[3]
	verifier, err := note.NewVerifier(vkey)
	check(err)
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)

	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(at))
		for i, x := range at {
			found[i] = hashes[x]
		}
		return found, nil
	})
	var entries [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := int(size - n*256)
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: 0, N: n, W: width}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(dir, path))
		check(err)
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			entries = append(entries, bundle[2:2+length])
			more, err := tlog.StoredHashes(int64(len(entries)-1), bundle[2:2+length], reader)
			check(err)
			hashes = append(hashes, more...)
			bundle = bundle[2+length:]
		}
	}
	if int64(len(entries)) != size {
		check(fmt.Errorf("%d entries, %d signed", len(entries), size))
	}
	computed, err := tlog.TreeHash(size, reader)
	check(err)
	if computed != root {
		check(fmt.Errorf("the entries give another root"))
	}

	tree := tlog.Tree{N: size, Hash: root}
	tiles := tlog.TileHashReader(tree, folder{dir})
	for _, at := range []int64{0, 1, size / 2, size - 1} {
		proof, err := tlog.ProveRecord(size, at, tiles)
		check(err)
		check(tlog.CheckRecord(proof, size, root, at, tlog.RecordHash(entries[at])))
		older, err := tlog.TreeHash(at+1, tiles)
		check(err)
		grown, err := tlog.ProveTree(size, at+1, tiles)
		check(err)
		check(tlog.CheckTree(grown, size, root, at+1, older))
	}

	ours, err := os.ReadFile(proofFile)
	check(err)
	rows := strings.Split(strings.SplitN(string(ours), "\\n\\n", 2)[0], "\\n")
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(rows[1], "extra "))
	check(err)
	index, err := strconv.ParseInt(strings.TrimPrefix(rows[2], "index "), 10, 64)
	check(err)
	var proof tlog.RecordProof
	for _, row := range rows[3:] {
		hash, err := tlog.ParseHash(row)
		check(err)
		proof = append(proof, hash)
	}
	check(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(extra)))
	fmt.Println("verified", size)
}
`

// Fetches a module and compiles it, so it is not part of the everyday run.
const needed = [{ command: 'go', debian: 'golang-go' }, { long: true }] as const

suite('a verifier of other hands', needed, () => {
  let dir = ''
  let binary = ''

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-verifier-'))
    binary = join(dir, 'verifier')
    writeFileSync(join(dir, 'main.go'), program)
    writeFileSync(
      join(dir, 'go.mod'),
      'module verifier\n\ngo 1.18\n\nrequire golang.org/x/mod v0.14.0\n',
    )
    const env = { ...process.env, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' }
    await run('go', ['build', '-o', binary, '.'], { cwd: dir, env })
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('accepts our log and our proof, and refuses a changed entry', async () => {
    const keys = some.someKeys()
    const log = join(dir, 'log')
    const sequencer = await createSequencer({
      world: realWorld,
      dir: log,
      blobDir: join(dir, 'blob'),
      spoolDir: join(dir, 'spool'),
      origin: some.someOrigin,
      logKey: keys.log.privateKey,
      controlKey: keys.control.privateKey,
      node: {
        id: 'control' as NodeId,
        signingKey: generateKeyPairSync('ed25519').privateKey,
      },
      pseudonymKey: keys.pseudonymKey,
      atRestKey: keys.atRest,
      nodes: () => null,
      checkpointIntervalMs: 10,
    })
    await Promise.all(
      Array.from({ length: 700 }, async (_, at) => sequencer.append(some.someNote(at, 'alice'))),
    )
    await sequencer.flush()
    await sequencer.close()
    const size = sequencer.size()
    const source = folderSource(log)
    const bundle = await readTile(source, 'entries', 1, 256)
    const entry = readBundle(bundle, 256)[44]
    if (!entry) throw new Error('the log has no entry 300')
    const checkpoint = readFileSync(join(log, 'checkpoint'), 'utf8')
    const proof = join(dir, 'entry.tlog-proof')
    writeFileSync(proof, await makeProofFile({ source, checkpoint, size, index: 300, entry }))

    const told = await run(binary, [log, sequencer.verifierKey, proof])
    expect(told.stdout).toBe(`verified ${size}\n`)

    const path = join(log, 'tile/entries/000')
    const bytes = readFileSync(path)
    bytes[40] = (bytes[40] ?? 0) ^ 1
    writeFileSync(path, bytes)
    await expect(run(binary, [log, sequencer.verifierKey, proof])).rejects.toMatchObject({
      stdout: 'REFUSED: the entries give another root\n',
    })
  })
})
