package chef

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// An answer without a body frees its connection at once. Whoever has it by the time
// the refusal was read must not lose it.
func TestARefusedFileBreaksOffNoOther(t *testing.T) {
	var mu sync.Mutex
	took := map[string]int{}
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.URL.Path, "/bad") {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		mu.Lock()
		took[r.URL.Path]++
		mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}, func(o *Options) { o.Parallel = 8 })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				kind := "good"
				if (i+n)%2 == 0 {
					kind = "bad"
				}
				err := c.UploadFile(t.Context(), fmt.Sprintf("/%s-%d-%d", kind, i, n), sumOf([]byte("a")), 1, opener([]byte("a")))
				if (err == nil) != (kind == "good") {
					t.Errorf("%s: got %v", kind, err)
				}
			}
		})
	}
	all.Wait()
	for path, n := range took {
		if n != 1 {
			t.Errorf("%s arrived %d times", path, n)
		}
	}
}
