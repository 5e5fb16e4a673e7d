// Verifies the files of a folder with Go's checksum database packages, which know nothing of us.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	log.SetFlags(0)
	folder := os.Args[1]
	verifier, err := note.NewVerifier(read(folder, "log.vkey"))
	check(err, "log.vkey")
	keys := note.VerifierList(verifier)

	inclusions := names(folder, "*.tlog-proof")
	for _, name := range inclusions {
		head, checkpoint := cut(read(folder, name))
		index := number(strings.TrimPrefix(head[1], "index "))
		size, root := open(checkpoint, keys, name)
		entry := []byte(read(folder, strings.TrimSuffix(name, "tlog-proof")+"entry"))
		proof := tlog.RecordProof(hashes(head[2:]))
		check(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entry)), name)
		entry[0] ^= 1
		refuse(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entry)), name)
	}
	consistencies := names(folder, "*.add-checkpoint")
	for _, name := range consistencies {
		head, checkpoint := cut(read(folder, name))
		old := number(strings.TrimPrefix(head[0], "old "))
		size, root := open(checkpoint, keys, name)
		oldSize, oldRoot := open(read(folder, fmt.Sprintf("%d.checkpoint", old)), keys, name)
		if oldSize != old {
			log.Fatalf("%s: the old checkpoint has size %d", name, oldSize)
		}
		proof := tlog.TreeProof(hashes(head[1:]))
		check(tlog.CheckTree(proof, size, root, old, oldRoot), name)
		oldRoot[0] ^= 1
		refuse(tlog.CheckTree(proof, size, root, old, oldRoot), name)
	}
	fmt.Printf("Go: %d inclusions, %d consistencies\n", len(inclusions), len(consistencies))
}

// open gives size and root of a checkpoint that the log has signed.
func open(text string, keys note.Verifiers, name string) (int64, tlog.Hash) {
	signed, err := note.Open([]byte(text), keys)
	check(err, name)
	_, err = note.Open(bytes.Replace([]byte(text), []byte("\n"), []byte("x\n"), 1), keys)
	refuse(err, name)
	lines := strings.Split(signed.Text, "\n")
	return number(lines[1]), hashes(lines[2:3])[0]
}

func cut(text string) ([]string, string) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	if !found {
		log.Fatalf("no empty line in %q", text)
	}
	return strings.Split(head, "\n"), checkpoint
}

func hashes(lines []string) []tlog.Hash {
	var list []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		check(err, line)
		if base64.StdEncoding.EncodeToString(hash[:]) != line {
			log.Fatalf("%q has another spelling", line)
		}
		list = append(list, hash)
	}
	return list
}

func number(text string) int64 {
	number, err := strconv.ParseInt(text, 10, 64)
	check(err, text)
	return number
}

func names(folder, pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(folder, pattern))
	check(err, pattern)
	if len(paths) == 0 {
		log.Fatalf("no %s in %s", pattern, folder)
	}
	var list []string
	for _, path := range paths {
		list = append(list, filepath.Base(path))
	}
	return list
}

func read(folder, name string) string {
	text, err := os.ReadFile(filepath.Join(folder, name))
	check(err, name)
	return string(text)
}

func check(err error, name string) {
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
}

func refuse(err error, name string) {
	if err == nil {
		log.Fatalf("%s: accepted although a bit was changed", name)
	}
}
