package bench

import "testing"

// TestCompetitors lets both competitors copy a small organization: whether they
// copy it right, not how fast.
func TestCompetitors(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd")
	}
	w := inProcess(t, small)
	var o, b result
	t.Run("ours", func(t *testing.T) { o = ours(t, w, w.replica(t)) })
	t.Run("bare", func(t *testing.T) { b = bare(t, w, w.replica(t)) })
	t.Logf("requests for %d objects: %d, bare loop %d", small.objects(), o.requests, b.requests)
}
