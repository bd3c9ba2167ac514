package version

import (
	"fmt"
	"strings"
)

// workerPrefix begins the identity of an ec-syncd at Temporal.
const workerPrefix = "ec-syncd/"

// WorkerIdentity is how an ec-syncd of this version calls itself at Temporal, so
// that others can see which version works.
func WorkerIdentity(host string, pid int) string {
	return fmt.Sprintf("%s%s %d@%s", workerPrefix, Get().Version, pid, host)
}

// OfWorker reads the version in an identity; false if that is none of an ec-syncd
// that says it.
func OfWorker(identity string) (string, bool) {
	v, ok := strings.CutPrefix(identity, workerPrefix)
	if !ok {
		return "", false
	}
	v, _, ok = strings.Cut(v, " ")
	return v, ok
}
