package harness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CPU returns how much processor time the ec-syncd has used since it was last
// started, its Temporal server included. It reads Linux's /proc, and is 0 on
// systems without.
func (d *Syncd) CPU(t testing.TB) time.Duration {
	t.Helper()
	return d.process.cpu(t)
}

// CPU returns how much processor time the goiardi has used since it was last
// started; see [Syncd.CPU].
func (g *GoiardiServer) CPU(t testing.TB) time.Duration {
	t.Helper()
	return g.process.cpu(t)
}

// cpu returns the user and system time of a process that runs.
func (p *process) cpu(t testing.TB) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	// The second field is a name in parentheses; utime and stime are 14 and 15.
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	const utime, stime, fields = 14 - 3, 15 - 3, 16
	if len(f) < fields {
		t.Fatalf("harness: /proc/%d/stat cannot be read", p.pid)
	}
	var ticks int64
	for _, field := range []string{f[utime], f[stime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatalf("harness: /proc/%d/stat: %v", p.pid, err)
		}
		ticks += n
	}
	const tick = time.Second / 100 // USER_HZ, on every architecture that Go runs on
	return time.Duration(ticks) * tick
}
