package harness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Memory returns how many bytes of the ec-syncd are in memory, its Temporal
// server included, and the most that ever were since it was started or since
// [Syncd.ForgetPeak]. It reads Linux's /proc; both are 0 on systems without.
func (d *Syncd) Memory(t testing.TB) (now, peak int64) {
	t.Helper()
	data, err := os.ReadFile(d.proc("status"))
	if os.IsNotExist(err) {
		return 0, 0
	}
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "VmRSS:" && f[0] != "VmHWM:" {
			continue
		}
		kilobytes, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			t.Fatalf("harness: %s: %v", d.proc("status"), err)
		}
		if f[0] == "VmRSS:" {
			now = kilobytes << 10
		} else {
			peak = kilobytes << 10
		}
	}
	return now, peak
}

// ForgetPeak lets the peak of [Syncd.Memory] begin anew where the kernel can do
// that.
func (d *Syncd) ForgetPeak() { _ = os.WriteFile(d.proc("clear_refs"), []byte("5"), 0o200) }

func (d *Syncd) proc(file string) string { return fmt.Sprintf("/proc/%d/%s", d.process.pid, file) }
