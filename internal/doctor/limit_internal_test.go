package doctor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheEndOfACheckHasAFix: a check that its limit ends, perhaps between two requests,
// says what helps; what it knows itself is better.
func TestTheEndOfACheckHasAFix(t *testing.T) {
	for _, own := range []string{"", "curl"} {
		synctest.Test(t, func(t *testing.T) {
			x := &exam{Options: Options{Limit: time.Second}}
			got := x.make(t.Context(), check{run: func(ctx context.Context, _ *exam, _ subject) []Finding {
				<-ctx.Done()
				return failed(own, "%v", ctx.Err())
			}}, subject{})
			if len(got) != 1 || got[0].Text != "no answer within 1s: context deadline exceeded" || got[0].Fix == "" || own != "" && got[0].Fix != own {
				t.Errorf("own fix %q: %+v", own, got)
			}
		})
	}
}

// TestHintOfALimit: the signature is tried once for all checks, with a limit of its own.
func TestHintOfALimit(t *testing.T) {
	x := &exam{sides: map[Side]*side{Replica: {signed: func() error { return context.DeadlineExceeded }}}}
	if got := user(t.Context(), x, subject{side: Replica}); len(got) != 1 || got[0].State != Failed || got[0].Fix == "" {
		t.Errorf("%+v; want a fix", got)
	}
}
