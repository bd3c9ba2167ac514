package replicate

import (
	"context"
	"maps"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// maxSandboxFiles keeps the body of a sandbox request, 45 bytes a file, below
// the smallest limit that servers have: 1,000,000 bytes.
const maxSandboxFiles = 10_000

// ask asks the replica which of the files it lacks, and opens sandboxes for
// them. Asking again is harmless: sandboxes that nobody commits are forgotten.
func (e *Engine) ask(ctx context.Context, sums []string) (staging.Sandbox, error) {
	sb := staging.Sandbox{Uploads: map[string]string{}, Opened: e.clock()}
	most := e.sandboxFiles
	if most <= 0 {
		most = maxSandboxFiles
	}
	sums = slices.Compact(slices.Sorted(slices.Values(sums)))
	for chunk := range slices.Chunk(sums, most) {
		one, err := e.Replica.CreateSandbox(ctx, chunk)
		if err != nil {
			return staging.Sandbox{}, onSide("replica", err)
		}
		sb.IDs = append(sb.IDs, one.ID)
		maps.Copy(sb.Uploads, one.Uploads)
	}
	return sb, nil
}

// commit registers the files of sandboxes, all of which have to be uploaded.
func (e *Engine) commit(ctx context.Context, sb staging.Sandbox) error {
	for _, id := range sb.IDs {
		if err := e.Replica.CommitSandbox(ctx, id); err != nil {
			return onSide("replica", err)
		}
	}
	return nil
}

// settle closes sandboxes that ask for nothing: nobody else would.
func (e *Engine) settle(ctx context.Context, sb staging.Sandbox) error {
	if err := e.commit(ctx, sb); err != nil && !chef.IsNotFound(err) {
		return err
	}
	return nil
}

// emptyFile is the MD5 of no bytes, the one file that every server may be asked
// about.
const emptyFile = "d41d8cd98f00b204e9800998ecf8427e"

// mayWrite reports whether the replica lets us write at all. Opening a sandbox is
// the one write that changes nothing.
func (e *Engine) mayWrite(ctx context.Context) bool {
	_, err := e.ask(ctx, []string{emptyFile})
	return err == nil
}
