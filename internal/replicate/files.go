package replicate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
)

// files asks the replica which files of the batch's cookbooks it lacks, stages
// these, and then the cookbooks. A cookbook whose manifest is equal but whose
// files the replica lacks is half a cookbook, left by a create that failed; it
// is written again.
func (f *fetch) files(ctx context.Context) error {
	if len(f.withSum) == 0 {
		return nil
	}
	asked := f.sums()
	sb, err := f.e.ask(ctx, asked)
	if err != nil {
		return err
	}
	lacking := sb.Uploads
	if err := f.download(ctx, lacking); err != nil {
		return err
	}
	if err := f.doubted(ctx, lacking); err != nil {
		return err
	}
	if wanted := f.sums(); len(wanted) < len(asked) { // a sandbox is committed with all of its files, or not at all
		if sb, err = f.e.ask(ctx, wanted); err != nil {
			return err
		}
	}
	for _, p := range f.withSum {
		if f.failed.has(p.item.Ref) {
			continue
		}
		if p.equal && (p.doubted || lacks(lacking, p.item.Files)) {
			p.equal, p.item.Held = false, staging.HeldHalf
		}
		if err := f.stage(p); err != nil {
			return err
		}
	}
	return f.keepSandbox(ctx, sb)
}

// doubted looks at what the replica holds in place of those cookbooks that are
// said to be new, although the replica has all of their files: probably it has
// them, too, and the PUT that creates a cookbook would write an equal one again.
func (f *fetch) doubted(ctx context.Context, lacking map[string]string) error {
	var unseen []*pending
	for _, p := range f.withSum {
		if !p.seen && !f.failed.has(p.item.Ref) && !lacks(lacking, p.item.Files) {
			unseen = append(unseen, p)
		}
	}
	return f.e.each(ctx, len(unseen), func(ctx context.Context, i int) error {
		_, err := f.look(ctx, unseen[i])
		return err
	})
}

// lacks reports whether one of the files is among those that a server lacks.
func lacks(lacking map[string]string, files []string) bool {
	return slices.ContainsFunc(files, func(sum string) bool { _, yes := lacking[sum]; return yes })
}

// sums returns the files of the batch's cookbooks that have not failed.
func (f *fetch) sums() []string {
	var out []string
	for _, p := range f.withSum {
		if !f.failed.has(p.item.Ref) {
			out = append(out, p.item.Files...)
		}
	}
	return out
}

// keepSandbox leaves the sandbox to Apply, and closes it if there is nothing to
// upload: Apply is then left an empty one, by which it knows that nothing was lost.
func (f *fetch) keepSandbox(ctx context.Context, sb staging.Sandbox) error {
	if len(sb.Uploads) == 0 {
		if err := f.e.settle(ctx, sb); err != nil || f.out.Staged == 0 {
			return err
		}
		sb = staging.Sandbox{}
	}
	return f.e.Staging.PutSandbox(ctx, f.out.Batch, sb)
}

// want is a file to be downloaded.
type want struct {
	sum    string
	url    string
	owners []object.Ref // the cookbooks that need it
}

// wants returns the files that the replica lacks, each once.
func (f *fetch) wants(lacking map[string]string) []want {
	var out []want
	at := map[string]int{}
	for _, p := range f.withSum {
		for _, file := range p.src.Files {
			if _, lacks := lacking[file.Checksum]; !lacks {
				continue
			}
			i, seen := at[file.Checksum]
			if !seen {
				i = len(out)
				at[file.Checksum] = i
				out = append(out, want{sum: file.Checksum, url: file.URL})
			}
			out[i].owners = append(out[i].owners, p.item.Ref)
		}
	}
	return out
}

// download brings the lacking files into staging. If one cannot be had, the
// cookbooks that need it have failed.
func (f *fetch) download(ctx context.Context, lacking map[string]string) error {
	wants := f.wants(lacking)
	return f.e.each(ctx, len(wants), func(ctx context.Context, i int) error {
		w := wants[i]
		n, fresh, err := f.e.stageFile(ctx, w)
		if err != nil && !ownFault(ctx, f.e.Primary, err) {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if err != nil {
			for _, ref := range w.owners {
				f.failed.record(ref, err)
			}
			return nil
		}
		if fresh {
			f.out.Files++
			f.out.Bytes += n
			f.e.moved(w.owners[0].Kind, didDownload, n)
		}
		f.progress(w.owners[0])
		return nil
	})
}

// fetchTries is how often a file is asked for in all, if its URL has expired or
// its transfer broke off.
const fetchTries = 3

// stageFile downloads one file unless it is staged; fresh is false if it was.
// Its URL expires: then the manifest is read again for another.
func (e *Engine) stageFile(ctx context.Context, w want) (n int64, fresh bool, err error) {
	end, err := e.Downloads.begin(ctx, w.sum)
	if err != nil {
		return 0, false, err
	}
	defer end()
	if n, ok, err := e.Staging.HasFile(ctx, w.sum); err != nil || ok {
		return n, false, err
	}
	url := w.url
	for try := 1; ; try++ {
		n, err = e.Staging.PutFile(ctx, w.sum, e.downloadTo(ctx, url, w.sum))
		switch {
		case err == nil:
			return n, true, nil
		case try == fetchTries || ctx.Err() != nil:
			return 0, false, err
		case errors.Is(err, chef.ErrURLExpired):
			if url, err = e.freshURL(ctx, w); err != nil {
				return 0, false, err
			}
		case !brokeOff(err):
			return 0, false, err
		}
	}
}

// freshURL reads the manifests of the cookbooks that need a file until one says
// where it is now.
func (e *Engine) freshURL(ctx context.Context, w want) (string, error) {
	var last error
	for _, owner := range w.owners {
		o, err := handler(owner).Get(ctx, e.Primary, owner)
		if err != nil {
			last = fmt.Errorf("read %s again for a fresh file URL: %w", owner, onSide("primary", err))
			continue
		}
		for _, file := range o.Files {
			if file.Checksum == w.sum {
				return file.URL, nil
			}
		}
		last = fmt.Errorf("file %s of %s: %w", w.sum, owner, errReplaced)
	}
	return "", last
}

// errReplaced is of the class object: the next Fetch reads what there is then.
var errReplaced = fmt.Errorf("%w any more: the primary changed it while it was being fetched", chef.ErrWrongObject)

// brokeOff reports whether a transfer began and did not bring the whole file.
func brokeOff(err error) bool {
	var api *chef.APIError
	return errors.As(err, &api) &&
		(api.Status == 0 && chef.Classify(err) == chef.ClassRetry || errors.Is(err, chef.ErrChecksum))
}

// downloadTo returns a function that writes a file of the primary to w.
func (e *Engine) downloadTo(ctx context.Context, url, sum string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := e.Primary.DownloadFile(ctx, url, sum, w)
		if fromServer(err) {
			return onSide("primary", err)
		}
		return err
	}
}
