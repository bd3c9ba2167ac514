package logfile

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Manager is the name of the log of ec-syncd itself.
const Manager = "ec-syncd.log"

// ext ends the name of every log.
const ext = ".log"

// longest is how much of an organization's name is in that of its file. The rest of
// the 255 bytes that a file system allows is for the time of a rotation.
const longest = 180

// Organization returns the name of an organization's log: sync-ORG.log. Letters,
// digits, _ and - are as they are, any other byte is %XX, so that no name leads out
// of the directory or is that of a rotated file. A name that is too long is cut, and
// ends with ~ and the beginning of its SHA-256 sum.
func Organization(org string) string {
	var b strings.Builder
	for _, c := range []byte(org) {
		if c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	name := b.String()
	if len(name) > longest {
		sum := sha256.Sum256([]byte(org))
		name = name[:longest-20] + "~" + hex.EncodeToString(sum[:8])
	}
	return "sync-" + name + ext
}

// rotatedAt is the layout of the time in the name of a rotated file.
const rotatedAt = "2006-01-02T15-04-05.000"

// Files returns the paths of a log that exist, oldest first: the rotated ones, then
// path itself. It is empty if there are none.
func Files(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(filepath.Base(path), ext) + "-"
	var out []string
	current := false
	for _, e := range entries {
		current = current || e.Name() == filepath.Base(path)
		at, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || !strings.HasSuffix(at, ext) {
			continue
		}
		if _, err := time.Parse(rotatedAt, strings.TrimSuffix(at, ext)); err == nil {
			out = append(out, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.Sort(out)
	if current {
		out = append(out, path)
	}
	return out, nil
}
